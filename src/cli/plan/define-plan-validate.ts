import type { Command } from 'commander';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';

/** `meanfield plan validate`. */
export function definePlanValidate(plan: Command, start: Start): void {
  const command = plan
    .command('validate')
    .summary('compare predictions with a table of measurements')
    .description(
      "Predict every row of a table of measured training runs from its description, in the row's own unit, and report " +
        'the errors by source.',
    )
    .argument('<rows.csv>', 'table with the columns of the calibration set')
    .action((file: string) => start(async (context) => (await import('./plan-validate.js')).validate(file, context)));
  finish(command, ['meanfield plan validate rows.csv', 'meanfield plan validate rows.csv --json']);
}
