import type { Command } from 'commander';
import { finish } from '../terminal/common-options.js';
import type { Start } from '../terminal/context.js';

/** `meanfield plan calibrate`. */
export function definePlanCalibrate(plan: Command, start: Start): void {
  const command = plan
    .command('calibrate')
    .summary('fit the planner to your own measurements')
    .description(
      'Fit the share of the roofline that your stack reaches to a table of your own runs, one figure for each pair of ' +
        'framework and accelerator, and tell the error of each row with the others fitted. `plan --calibration` takes the file.',
    )
    .argument('<rows.csv>', 'table with the columns of the calibration set; grade may be empty')
    .option('--to <file>', 'where to write it', 'calibration.json')
    .action((file: string, flags: { readonly to: string }) =>
      start(async (context) => (await import('./plan-calibrate.js')).calibrateTable(file, flags, context)),
    );
  finish(command, [
    'meanfield plan calibrate rows.csv --to ours.json',
    'meanfield plan --model llama3-8b --cluster 64xh100 --calibration ours.json',
  ]);
}
