import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { writeFileAtomic } from '../base/files/atomic.js';
import { isJsonObject, jsonText } from '../base/json.js';
import { printable } from '../base/printable.js';
import { thousands } from '../base/thousands.js';
import { lawJson, type MeasuredLaw, readLaw } from '../planner/laws/law-file.js';
import { computeOptimal } from '../planner/laws/optimum.js';
import { lossOf } from '../planner/laws/parametric.js';
import { runPaths } from '../run/run-folder.js';
import type { ScaleResult } from './events.js';
import { type ExpectedLoss, forecastFrom } from './forecast.js';
import { type LadderJob, rungJobs, rungPoints, truthJobs, tunedRates } from './jobs.js';
import { type Ladder, tokensPerStep } from './ladder.js';
import type { LadderFolder } from './record.js';

/** Figures of a curve: more would not show. */
const MOST_POINTS = 80;

/** A run with what the law says of it. */
export interface ReportedRun {
  readonly kind: LadderJob['kind'];
  readonly parameters: number;
  readonly tokens: number;
  readonly rate: number;
  readonly seed: number;
  /** Held out, nats a byte. */
  readonly loss: number;
  readonly expected: number;
  /** Training loss on the way, by tokens. */
  readonly curve: readonly (readonly [tokens: number, loss: number])[];
}

/** The best that a compute buys by the law. */
export interface Purchase extends ExpectedLoss {
  /** Times the predicted run's. */
  readonly factor: number;
  readonly flop: number;
  readonly parameters: number;
  readonly tokens: number;
}

/** What a ladder's page shows. */
export interface ScaleReport {
  readonly result: Omit<ScaleResult, 'files' | 'seconds' | 'interrupted'>;
  readonly corpus: readonly string[];
  readonly law: MeasuredLaw;
  readonly runs: readonly ReportedRun[];
  readonly purchases: readonly Purchase[];
}

/** Gathers what a ladder's page shows; undefined before there is a law. */
export async function reportOf(
  folder: LadderFolder,
  ladder: Ladder,
  result: ScaleReport['result'],
): Promise<ScaleReport | undefined> {
  const { results } = folder.record;
  const rates = tunedRates(ladder, results);
  if (!('law' in rates) || result.prediction === undefined) return undefined;
  const { fit, at } = forecastFrom(rungPoints(ladder, results), ladder.seed);
  const perStep = tokensPerStep(ladder);
  const jobs = [...rungJobs(ladder, rates.law), ...truthJobs(ladder, rates.law)];
  const done = jobs.flatMap((job) => {
    const loss = results[job.id]?.loss;
    return typeof loss === 'number' ? [{ job, loss }] : [];
  });
  const runs = await Promise.all(
    done.map(async ({ job, loss }): Promise<ReportedRun> => {
      const { kind, size, steps, rate, seed, id } = job;
      const { parameters } = size;
      const tokens = steps * perStep;
      const expected = lossOf(fit.law, parameters, tokens);
      return { kind, parameters, tokens, rate, seed, loss, expected, curve: await curveOf(folder.runFolder(id)) };
    }),
  );
  const fitted = { parameters: ladder.sizes.map(({ parameters }) => parameters), steps: ladder.steps };
  const law: MeasuredLaw = {
    form: 'parametric',
    name: printable(basename(resolve(folder.folder))).slice(0, 64) || 'scale',
    ...fit.law,
    upTo: { parameters: fitted.parameters.at(-1)!, tokens: fitted.steps.at(-1)! * perStep },
    source:
      `meanfield scale, ${result.points} runs of ${thousands(fitted.parameters[0]!)} to ${thousands(fitted.parameters.at(-1)!)} ` +
      'parameters; nats a byte of its own text, a token being a byte',
  };
  const { prediction } = result;
  const flop = 6 * prediction.parameters * prediction.tokens;
  const purchases = [1, 10, 100].map((factor): Purchase => {
    const best = computeOptimal({ flop: factor * flop }, law);
    const { parameters, tokens } = best;
    return { factor, flop: best.flop, parameters, tokens, ...at(parameters, tokens) };
  });
  return { result, corpus: folder.record.corpus, law, runs, purchases };
}

/**
 * Writes `law.json`, for `plan --law`, and `page.html` into the ladder's folder.
 *
 * @returns the files, and of a law that is none (a figure of it lies beyond all bounds) what to tell
 */
export async function writeReport(
  folder: string,
  report: ScaleReport,
  page: string,
): Promise<{ readonly files: readonly string[]; readonly notice?: string }> {
  const [law, html] = [join(folder, 'law.json'), join(folder, 'page.html')];
  await writeFileAtomic(html, page);
  try {
    readLaw(lawJson(report.law), law);
  } catch (error) {
    return { files: [html], notice: `No law.json is written: ${(error as Error).message}` };
  }
  await writeFileAtomic(law, jsonText(lawJson(report.law)));
  return { files: [law, html] };
}

/** A run's training losses, of many every few. */
async function curveOf(folder: string): Promise<ReportedRun['curve']> {
  const text = await readFile(runPaths(folder).metrics, 'utf8').catch(() => '');
  const points = text.split('\n').flatMap((line): [number, number][] => {
    try {
      const event: unknown = JSON.parse(line);
      if (!isJsonObject(event as never)) return [];
      const { type, tokens, loss } = event as Record<string, unknown>;
      return type === 'progress' && typeof tokens === 'number' && typeof loss === 'number' ? [[tokens, loss]] : [];
    } catch {
      // The last line of a run that was killed may be torn.
      return [];
    }
  });
  const width = Math.ceil(points.length / MOST_POINTS);
  return Array.from({ length: Math.ceil(points.length / width) || 0 }, (_, i) => {
    const part = points.slice(i * width, (i + 1) * width);
    return [part.at(-1)![0], part.reduce((sum, [, loss]) => sum + loss, 0) / part.length] as const;
  });
}
