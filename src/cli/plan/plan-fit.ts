import type { OptionsOf } from '../../base/option-table.js';
import { chinchillaPoints } from '../../planner/laws/chinchilla.js';
import type { LawFit } from '../../planner/laws/fit.js';
import { fitPoints, fitTable, type TableFit } from '../../planner/laws/table.js';
import { snakeCase } from '../../planner/report/plan-json.js';
import type { Context } from '../terminal/context.js';
import { grouped, table } from '../terminal/format.js';
import type { FIT_FLAGS } from './plan-options.js';
import { readTable } from './plan-validate.js';

const NUMBERS = ['E', 'A', 'B', 'alpha', 'beta'] as const;

/** Fits a scaling law to the user's table, or to Chinchilla's points. */
export async function fit(
  file: string | undefined,
  { drop }: OptionsOf<typeof FIT_FLAGS>,
  { output }: Context,
): Promise<number> {
  const options = drop === undefined ? {} : { drop };
  const fitted = file === undefined ? fitPoints(chinchillaPoints(), options) : fitTable(await readTable(file), options);
  const { fit: best, all, confidence, dropped, delta } = fitted;
  const figures = ({ exponents, rmse, rmseLog, objective, points, law }: LawFit) => ({
    ...law,
    ...(snakeCase({ points, objective, rmse, rmseLog, exponents }) as object),
  });
  output.event({ type: 'result', fit: figures(best), all: figures(all), dropped: dropped.length, delta, confidence });
  output.text(fitText(fitted, file ?? 'the points of Chinchilla, read off its figure 4 (arXiv 2404.10102)'));
  return 0;
}

/** The law with its spread, and the fit of all points beside it. */
export function fitText({ fit: best, all, confidence, dropped, delta }: TableFit, source: string): string {
  const rows = NUMBERS.map((name) => [
    name,
    figure(best.law[name]),
    `${figure(confidence[name].low)} to ${figure(confidence[name].high)}`,
    figure(all.law[name]),
  ]);
  const head = ['', `${grouped(best.points)} points`, '10 to 90 %', `all ${grouped(all.points)}`];
  const { a, b } = best.exponents;
  return (
    `\nL(N, D) = E + A/N^alpha + B/D^beta, nats a token, fitted to ${source}\n\n` +
    `${table([head, ...rows, ['rmse', figure(best.rmse), '', figure(all.rmse)]], [1, 2, 3])}\n` +
    `Left out: ${grouped(dropped.length)} points with the fewest tokens per parameter. Huber's delta ${delta} on log loss, summed.\n` +
    `Compute-optimal: parameters grow as FLOP^${a.toFixed(3)} (10 to 90 %: ${confidence.a.low.toFixed(3)} to ` +
    `${confidence.a.high.toFixed(3)}), tokens as FLOP^${b.toFixed(3)}.\n`
  );
}

function figure(value: number): string {
  return String(Number(value.toPrecision(5)));
}
