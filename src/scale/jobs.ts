import { MeanfieldError } from '../base/errors.js';
import type { LossPoint } from '../planner/laws/parametric.js';
import type { GapPoint } from './gap-fit.js';
import { averagedCounts, averagedRung, type Ladder, tokensPerStep, tunedSizes, tunedSteps } from './ladder.js';
import { guessedRate, type RateLaw, rateFor, rateLaw, searchRate } from './rates.js';
import type { LadderSize } from './sizes.js';

/** One run of a ladder. Everything that decides its outcome is here, its seed as well. */
export interface LadderJob {
  /** Tells jobs apart, and names the run's folder. */
  readonly id: string;
  /** `gap` are runs of averaged replicas, `gapTruth` those of as many as are predicted. */
  readonly kind: 'tune' | 'rung' | 'truth' | 'gap' | 'gapTruth';
  readonly size: LadderSize;
  readonly steps: number;
  readonly rate: number;
  readonly seed: number;
  /** Replicas, which share the batch, and H; missing for one alone. */
  readonly averaging?: { readonly replicas: number; readonly syncEvery: number };
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
  readonly name: 'tune' | 'rungs' | 'truth' | 'gap' | 'gapTruth' | 'done';
  readonly jobs: readonly LadderJob[];
}

/** The best learning rates of two sizes, and the law through them. */
export interface TunedRates {
  readonly sizes: readonly { readonly parameters: number; readonly rate: number }[];
  readonly law: RateLaw;
}

/**
 * What is to be done next, as a function of what is done: first the rates of two sizes, then the rungs by the rates that
 * follow, then the predicted run, then averaged replicas. A stage's jobs depend on nothing but the ladder and results of earlier ones, so whoever
 * takes it up again comes to the same jobs.
 */
export function stageOf(ladder: Ladder, results: JobResults): Stage {
  const rates = tunedRates(ladder, results);
  if (!('law' in rates)) return { name: 'tune', jobs: rates.jobs };
  const open = ({ id }: LadderJob) => results[id] === undefined;
  const rungs = rungJobs(ladder, rates.law);
  if (rungs.some(open)) return { name: 'rungs', jobs: rungs };
  const truth = truthJobs(ladder, rates.law);
  if (truth.some(open)) return { name: 'truth', jobs: truth };
  for (const name of ['gap', 'gapTruth'] as const) {
    const jobs = gapJobs(ladder, rates.law).filter(({ kind }) => kind === name);
    if (jobs.some(open)) return { name, jobs };
  }
  return { name: 'done', jobs: [] };
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

function tuneJob(ladder: Ladder, size: LadderSize, rate: number): LadderJob {
  const id = `tune-${size.parameters}-${rate.toExponential(2)}`;
  return { id, kind: 'tune', size, steps: tunedSteps(ladder), rate, seed: ladder.seed };
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

/** Runs of averaged replicas, at the middle size and length; they share the batch of one. */
export function gapJobs(ladder: Ladder, law: RateLaw): LadderJob[] {
  const { size, steps } = averagedRung(ladder);
  const rate = rateFor(law, size.parameters);
  return averagedCounts(ladder).map(({ replicas, syncEvery, predicted }) => ({
    id: `gap-${size.parameters}-${steps}-${replicas}-${syncEvery}`,
    ...{ kind: predicted ? 'gapTruth' : 'gap', size, steps, rate, seed: ladder.seed },
    averaging: { replicas, syncEvery },
  }));
}

/** The gaps of averaged runs that are done: over the rung of the same size, length, rate and seed. */
export function gapPoints(ladder: Ladder, results: JobResults, kind: 'gap' | 'gapTruth'): GapPoint[] {
  const rates = tunedRates(ladder, results);
  const { size, steps } = averagedRung(ladder);
  const alone = results[`rung-${size.parameters}-${steps}`]?.loss;
  if (!('law' in rates) || typeof alone !== 'number') return [];
  return gapJobs(ladder, rates.law).flatMap(({ id, kind: own, averaging }) => {
    const loss = results[id]?.loss;
    return own === kind && typeof loss === 'number' ? [{ ...averaging!, gap: loss / alone - 1 }] : [];
  });
}
