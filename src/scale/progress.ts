import type { ProgressEvent } from '../run/events.js';
import { secondsOf, sideBySide, type TrainingSpeed } from './cost.js';
import type { LadderEvent, LadderProgressEvent, PlannedJob } from './events.js';
import { gapJobs, type JobResults, type LadderJob, rungJobs, stageOf, truthJobs, tunedRates } from './jobs.js';
import { averagedSeconds, EXPECTED_TRIALS, type Ladder, tokensPerStep, tunedSizes, tunedSteps } from './ladder.js';
import { guessedRate, type RateLaw } from './rates.js';

/** How often progress is told, in milliseconds. */
const TELL_EVERY = 500;
/** Expected work below which what is left cannot be told from what it took so far. */
const ENOUGH_TO_JUDGE = 0.01;

/** All jobs of a ladder as they are expected: those that are known, and searches for a rate of the usual length. */
export function expectedJobs(ladder: Ladder, results: JobResults): readonly LadderJob[] {
  const rates = tunedRates(ladder, results);
  const law: RateLaw = 'law' in rates ? rates.law : { coefficient: 0, exponent: 0 };
  return [
    ...expectedTrials(ladder, results),
    ...rungJobs(ladder, law),
    ...truthJobs(ladder, law),
    ...gapJobs(ladder, law),
  ];
}

function expectedTrials(ladder: Ladder, results: JobResults): LadderJob[] {
  const { name, jobs } = stageOf(ladder, results);
  return tunedSizes(ladder).flatMap((size) => {
    const prefix = `tune-${size.parameters}-`;
    const done = Object.keys(results).filter((id) => id.startsWith(prefix));
    const known = name === 'tune' ? jobs.filter(({ id }) => id.startsWith(prefix)).map(({ id }) => id) : done;
    const more = name === 'tune' ? Math.max(0, EXPECTED_TRIALS - known.length) : 0;
    const ids = [...known, ...Array.from({ length: more }, (_, i) => `${prefix}expected-${i}`)];
    const rate = guessedRate(size.parameters);
    return ids.map((id) => ({ id, kind: 'tune' as const, size, steps: tunedSteps(ladder), rate, seed: ladder.seed }));
  });
}

/** The ladder as an event: every job with the time that it is expected to take. */
export function ladderEvent(
  ladder: Ladder,
  results: JobResults,
  speed: TrainingSpeed,
  places: number,
  out: string,
): LadderEvent {
  const jobs = expectedJobs(ladder, results).map(({ id, kind, size, steps, averaging }): PlannedJob => {
    const { parameters, layers, width } = size;
    const tokens = steps * tokensPerStep(ladder);
    const replicas = averaging?.replicas ?? 1;
    const seconds = averaging ? averagedSeconds(ladder, speed, replicas, places) : secondsOf(speed, parameters, tokens);
    return { kind, parameters, layers, width, steps, tokens, replicas, seconds, done: results[id] !== undefined };
  });
  const ofKind = (kind: LadderJob['kind']) =>
    sideBySide(
      jobs.filter((job) => job.kind === kind && !job.done).map(({ seconds }) => seconds),
      places,
    );
  const averaged = jobs.filter(({ replicas, done }) => replicas > 1 && !done);
  const left =
    ofKind('tune') + ofKind('rung') + ofKind('truth') + averaged.reduce((sum, { seconds }) => sum + seconds, 0);
  return { type: 'ladder', out, jobs, seconds: left, places };
}

/** How far a ladder is, by the work that its jobs are expected to be. */
export class LadderProgress {
  readonly #running = new Map<string, { readonly job: LadderJob; readonly event: ProgressEvent }>();
  #told = Number.NEGATIVE_INFINITY;
  readonly #began: number;
  readonly #fractionThen: number;

  /** @param now milliseconds */
  constructor(
    private readonly ladder: Ladder,
    private readonly speed: TrainingSpeed,
    private readonly results: () => JobResults,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#began = now();
    this.#fractionThen = this.#work().fraction;
  }

  longestFirst(jobs: readonly LadderJob[]): LadderJob[] {
    return [...jobs].sort((a, b) => this.#secondsOf(b) - this.#secondsOf(a));
  }

  /** Takes a run's progress in. @returns what to tell, where the last is some time ago */
  tell(job: LadderJob, event: ProgressEvent): LadderProgressEvent | undefined {
    this.#running.set(job.id, { job, event });
    if (this.now() - this.#told < TELL_EVERY) return undefined;
    this.#told = this.now();
    const { fraction, done, jobs } = this.#work();
    const since = (this.now() - this.#began) / 1000;
    const gained = fraction - this.#fractionThen;
    const etaSeconds =
      gained > ENOUGH_TO_JUDGE
        ? (since * (1 - fraction)) / gained
        : ((1 - fraction) * this.#expected()) / Math.max(1, this.#running.size);
    const running = [...this.#running.values()].map(({ job: { id }, event: { step, totalSteps, loss } }) => ({
      ...{ id, step, steps: totalSteps, loss },
    }));
    return { type: 'progress', stage: job.kind, done, jobs, fraction, etaSeconds, running };
  }

  ended({ id }: LadderJob): void {
    this.#running.delete(id);
  }

  #secondsOf({ size, steps }: LadderJob): number {
    return secondsOf(this.speed, size.parameters, steps * tokensPerStep(this.ladder));
  }

  #expected(): number {
    return expectedJobs(this.ladder, this.results()).reduce((sum, job) => sum + this.#secondsOf(job), 0);
  }

  #work() {
    const results = this.results();
    const jobs = expectedJobs(this.ladder, results);
    let [all, done] = [0, 0];
    for (const job of jobs) {
      const seconds = this.#secondsOf(job);
      const event = this.#running.get(job.id)?.event;
      all += seconds;
      if (results[job.id] !== undefined) done += seconds;
      else if (event) done += seconds * Math.min(1, event.step / event.totalSteps);
    }
    const finished = jobs.filter(({ id }) => results[id] !== undefined).length;
    return { fraction: all > 0 ? done / all : 0, done: finished, jobs: jobs.length };
  }
}
