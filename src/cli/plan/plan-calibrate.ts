import { writeFileAtomic } from '../../base/files/atomic.js';
import { jsonText } from '../../base/json.js';
import type { OptionsOf } from '../../base/option-table.js';
import { snakeCase } from '../../planner/report/plan-json.js';
import { calibrationJson } from '../../planner/run/calibration.js';
import { calibrate, type PairFit } from '../../planner/validate/index.js';
import type { Context } from '../terminal/context.js';
import { table } from '../terminal/format.js';
import { CALIBRATE_FLAGS } from './plan-options.js';
import { readTable } from './plan-validate.js';

/** Fits efficiencies to a table of the user's own runs, tells how well, and writes them. */
export async function calibrateTable(
  file: string,
  { to = CALIBRATE_FLAGS.to.default }: OptionsOf<typeof CALIBRATE_FLAGS>,
  { output }: Context,
): Promise<number> {
  const { calibration, pairs, unused } = calibrate(await readTable(file));
  await writeFileAtomic(to, jsonText(calibrationJson(calibration)));
  output.event({ type: 'result', file: to, pairs: snakeCase(pairs), unused });
  const rows = pairs.map((pair) => [
    pair.pair,
    String(pair.rows),
    pair.efficiency.toFixed(3),
    percent(pair.leaveOneOutError),
    percent(pair.shippedError),
  ]);
  const head = ['framework @ accelerator', 'rows', 'efficiency', 'error of a row left out', 'as shipped'];
  output.text(
    `\n${table([head, ...rows], [1, 2, 3, 4])}${unusedText(unused)}\nWritten: ${to}. Use it: meanfield plan --calibration ${to}${frameworkOf(pairs)} …\n`,
  );
  return 0;
}

const unusedText = (unused: number): string =>
  unused === 0 ? '' : `${unused} rows could not be used; \`meanfield plan validate\` says why.\n`;

/** The framework to plan with, where the calibration is of one that is not the default. */
function frameworkOf(pairs: readonly PairFit[]): string {
  const [framework] = pairs[0]!.pair.split(' @ ');
  return framework === 'default' ? '' : ` --framework ${JSON.stringify(framework)}`;
}

const percent = (value: number | null): string => (value === null ? 'one row' : `${value.toFixed(1)} %`);
