import type { LadderEvent, PlannedJob, ScaleResult } from '../../scale/events.js';
import { duration, grouped, shellQuote, short, table } from '../terminal/format.js';

const KINDS: Readonly<Record<PlannedJob['kind'], string>> = {
  tune: 'to tune the rate',
  rung: 'fitted',
  truth: 'predicted, then trained',
  gap: 'averaged',
  gapTruth: 'averaged, predicted',
};

/** The jobs of a ladder with their expected minutes, those alike in one line. */
export function ladderTable({ jobs, seconds, places }: LadderEvent): string {
  const lines = new Map<string, { job: PlannedJob; count: number; done: number }>();
  for (const job of jobs) {
    const key = `${job.kind} ${job.parameters} ${job.steps} ${job.replicas}`;
    const { count, done } = lines.get(key) ?? { count: 0, done: 0 };
    lines.set(key, { job, count: count + 1, done: done + (job.done ? 1 : 0) });
  }
  const rows = [...lines.values()].map(({ job, count, done }) => [
    job.replicas === 1 ? KINDS[job.kind] : `${KINDS[job.kind]}: ${job.replicas} replicas`,
    grouped(job.parameters),
    `${job.layers} × ${job.width}`,
    grouped(job.steps),
    short(job.tokens),
    String(count),
    (job.seconds / 60).toFixed(job.seconds < 600 ? 2 : 1),
    done === 0 ? '' : `${done} done`,
  ]);
  const heads = ['', 'parameters', 'layers × width', 'steps', 'tokens', 'runs', 'minutes each', ''];
  const left = jobs.filter(({ done }) => !done).length;
  return (
    `${table([heads, ...rows], [1, 3, 4, 5, 6])}\n${left} ${left === 1 ? 'run' : 'runs'} left, ${places} side by side, a thread each: about ` +
    `${duration(seconds)}.\n`
  );
}

/** How a ladder ended, and what can be done next. */
export function summary({
  out,
  law,
  rates,
  points,
  rmse,
  prediction,
  truths,
  gaps,
  files,
  seconds,
  interrupted,
}: ScaleResult): string {
  const lines = [''];
  if (rates) {
    const each = rates.sizes.map(
      ({ parameters, rate }) => `${rate.toPrecision(3)} at ${grouped(parameters)} parameters`,
    );
    lines.push(
      `Best learning rates: ${each.join(', ')}; so rate = ${figure(rates.law.coefficient)} · N^${rates.law.exponent.toFixed(3)}.`,
    );
  }
  if (law)
    lines.push(
      `L = ${figure(law.E)} + ${figure(law.A)}/N^${law.alpha.toFixed(3)} + ${figure(law.B)}/D^${law.beta.toFixed(3)}, nats a byte, fitted to ` +
        `${points} runs; root mean square error ${figure(rmse!)}.`,
    );
  if (prediction)
    lines.push(
      `Predicted for ${grouped(prediction.parameters)} parameters on ${short(prediction.tokens)} tokens: ${prediction.loss.toFixed(4)} ` +
        `(90 %: ${prediction.low.toFixed(4)} to ${prediction.high.toFixed(4)}).`,
    );
  for (const { seed, loss, error, inside } of truths)
    lines.push(
      `Trained with seed ${seed}: ${loss.toFixed(4)}. The prediction is ${Math.abs(100 * error).toFixed(2)} % ${error < 0 ? 'below' : 'above'}; the run is ${inside ? 'inside' : 'OUTSIDE'} the interval.`,
    );
  if (gaps) lines.push(...gapLines(gaps));
  lines.push(`${duration(seconds)}. ${out} holds the runs.`);
  if (files.length > 0) lines.push(`Written: ${files.join(', ')}`);
  if (interrupted)
    lines.push('', `Interrupted; saved. Go on with:\n  meanfield scale --out ${shellQuote(out)} --resume`);
  return `${lines.join('\n')}\n`;
}

function figure(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** What averaging costs, in percent of the loss. */
function gapLines({ law, truths }: NonNullable<ScaleResult['gaps']>): string[] {
  const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
  return [
    `Averaging costs ${figure(100 * law.scale)} % · (log2 M)^${law.replicasExponent.toFixed(2)} · H^${law.stepsExponent.toFixed(2)} of the loss, M replicas averaged every H steps.`,
    ...truths.map(
      ({ replicas, syncEvery, gap, predicted }) =>
        `${replicas} replicas, H ${syncEvery}: predicted ${percent(predicted)}, trained ${percent(gap)}, ${(100 * Math.abs(predicted - gap)).toFixed(2)} points apart.`,
    ),
  ];
}
