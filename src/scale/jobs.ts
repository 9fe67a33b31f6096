import { MeanfieldError } from '../base/errors.js';
import type { LossPoint } from '../planner/laws/parametric.js';
import { type Ladder, tokensPerStep, tunedSizes } from './ladder.js';
import { guessedRate, type RateLaw, rateFor, rateLaw, searchRate } from './rates.js';
import type { LadderSize } from './sizes.js';

/** One run of a ladder. Everything that decides its outcome is here, its seed as well. */
export interface LadderJob {
  /** Tells jobs apart, and names the run's folder. */
  readonly id: string;
  readonly kind: 'tune' | 'rung' | 'truth';
  readonly size: LadderSize;
  readonly steps: number;
  readonly rate: number;
  readonly seed: number;
}

/** What a job came to. */
export interface JobResult {
  /** On the held-out text, nats a byte; null where it diverged. */
  readonly loss: number | null;
  /** Wall time, of all processes that worked on it. */
  readonly seconds: number;
}

/** By the jobs' ids; what is not there is not done. */
export type JobResults = Readonly<Record<string, JobResult>>;

/** Where a ladder stands: the jobs of the stage that it is in, done ones among them. */
export interface Stage {
  readonly name: 'tune' | 'rungs' | 'truth' | 'done';
  readonly jobs: readonly LadderJob[];
}

/** The best learning rates of two sizes, and the law through them. */
export interface TunedRates {
  readonly sizes: readonly { readonly parameters: number; readonly rate: number }[];
  readonly law: RateLaw;
}

/**
 * What is to be done next, as a function of what is done: first the rates of two sizes, then the rungs by the rates that
 * follow, then the predicted run. A stage's jobs depend on nothing but the ladder and results of earlier ones, so whoever
 * takes it up again comes to the same jobs.
 */
export function stageOf(ladder: Ladder, results: JobResults): Stage {
  const rates = tunedRates(ladder, results);
  if (!('law' in rates)) return { name: 'tune', jobs: rates.jobs };
  const open = ({ id }: LadderJob) => results[id] === undefined;
  const rungs = rungJobs(ladder, rates.law);
  if (rungs.some(open)) return { name: 'rungs', jobs: rungs };
  const truth = truthJobs(ladder, rates.law);
  return { name: truth.some(open) ? 'truth' : 'done', jobs: truth };
}

/** The rates that two searches came to, or the jobs of those searches so far. */
export function tunedRates(ladder: Ladder, results: JobResults): TunedRates | { readonly jobs: readonly LadderJob[] } {
  const searches = tunedSizes(ladder).map((size) => search(ladder, size, results));
  const sizes = searches.flatMap(({ size: { parameters }, best }) =>
    best === undefined ? [] : [{ parameters, rate: best }],
  );
  const [small, large] = sizes;
  if (small === undefined || large === undefined || sizes.length < searches.length)
    return { jobs: searches.flatMap(({ jobs }) => jobs) };
  return { sizes, law: rateLaw([small, large]) };
}

/** A search for the best rate of a size: its jobs so far, and what it came to. */
function search(ladder: Ladder, size: LadderSize, results: JobResults) {
  const guess = guessedRate(size.parameters);
  const jobs: LadderJob[] = [];
  for (;;) {
    const done = jobs.filter(({ id }) => results[id] !== undefined);
    if (done.length < jobs.length) return { size, jobs };
    const trials = done.map(({ id, rate }) => ({ rate, loss: results[id]!.loss ?? Number.POSITIVE_INFINITY }));
    const found = searchRate(guess, trials);
    if ('best' in found) return { size, jobs, best: found.best };
    jobs.push(...found.next.map((rate) => tuneJob(ladder, size, rate)));
  }
}

function tuneJob({ steps, seed }: Ladder, size: LadderSize, rate: number): LadderJob {
  const id = `tune-${size.parameters}-${rate.toExponential(2)}`;
  return { id, kind: 'tune', size, steps: steps[0]!, rate, seed };
}

/** Every size by every length, the longest last. */
export function rungJobs({ sizes, steps: lengths, seed }: Ladder, law: RateLaw): LadderJob[] {
  return lengths.flatMap((steps) =>
    sizes.map((size) => {
      const rate = rateFor(law, size.parameters);
      return { id: `rung-${size.parameters}-${steps}`, kind: 'rung' as const, size, steps, rate, seed };
    }),
  );
}

/** The predicted run, once for each seed. */
export function truthJobs({ predicted: size, predictedSteps: steps, seed: first, seeds }: Ladder, law: RateLaw) {
  return Array.from({ length: seeds }, (_, i): LadderJob => {
    const seed = first + i;
    const id = `truth-${size.parameters}-${steps}-${seed}`;
    return { id, kind: 'truth', size, steps, rate: rateFor(law, size.parameters), seed };
  });
}

/** The rungs that are done, as runs that a law is fitted to. */
export function rungPoints(ladder: Ladder, results: JobResults): LossPoint[] {
  const rates = tunedRates(ladder, results);
  if (!('law' in rates)) return [];
  return rungJobs(ladder, rates.law).flatMap(({ id, kind, size, steps }) => {
    const loss = results[id]?.loss;
    if (loss === undefined) return [];
    if (loss === null) throw new MeanfieldError(`The ${kind} ${id} has no loss: scale.json is damaged.`);
    return [{ parameters: size.parameters, tokens: steps * tokensPerStep(ladder), loss }];
  });
}
