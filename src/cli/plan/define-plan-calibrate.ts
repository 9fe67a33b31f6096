import type { Command } from 'commander';
import type { OptionsOf } from '../../base/option-table.js';
import { addOptions } from '../terminal/add-options.js';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';
import { CALIBRATE_FLAGS } from './plan-options.js';

/** `meanfield plan calibrate`. */
export function definePlanCalibrate(plan: Command, start: Start): void {
  const command = plan
    .command('calibrate')
    .summary('fit the planner to your own measurements')
    .description(
      'Fit the share of the roofline that your stack reaches to a table of your own runs, one figure for each pair of ' +
        'framework and accelerator, and tell the error of each row with the others fitted. `plan --calibration` takes the file.',
    )
    .argument('<rows.csv>', 'table with the columns of the calibration set; grade may be empty');
  addOptions(command, CALIBRATE_FLAGS).action((file: string, flags: OptionsOf<typeof CALIBRATE_FLAGS>) =>
    start(async (context) => (await import('./plan-calibrate.js')).calibrateTable(file, flags, context)),
  );
  finish(command, [
    'meanfield plan calibrate rows.csv --to ours.json',
    'meanfield plan --model llama3-8b --cluster 64xh100 --calibration ours.json',
  ]);
}
