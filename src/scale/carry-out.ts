import { randomUUID } from 'node:crypto';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import type { TrainingSpeed } from './cost.js';
import type { ScaleEvent, ScaleResult } from './events.js';
import { finish } from './finish.js';
import { forecastFrom } from './forecast.js';
import { fitGap, gapOf } from './gap-fit.js';
import { gapPoints, type LadderJob, rungPoints, stageOf } from './jobs.js';
import {
  averagedCounts,
  FEWEST_STEPS,
  type Ladder,
  ladderWithin,
  makeLadder,
  tokensPerStep,
  tunedSizes,
} from './ladder.js';
import { measureSpeed } from './measure-speed.js';
import {
  type ParsedScaleOptions,
  parseScaleOptions,
  resumedScaleOptions,
  type ScaleOptions,
  settingsOf,
} from './options.js';
import { scalePage } from './page.js';
import { LadderProgress, ladderEvent } from './progress.js';
import { LadderFolder } from './record.js';
import { reportOf, writeReport } from './report.js';
import { runJob, tidyJob } from './run-job.js';

/** Of the budget for measuring this machine, and its bounds in seconds. */
const MEASURED_SHARE = 0.005;
const MEASURED_BOUNDS = [1, 8] as const;

/** A ladder from its options to its result. */
export async function carryOutLadder(
  given: ScaleOptions,
  dryRun: boolean,
  signal: AbortSignal,
  emit: (event: ScaleEvent) => void,
): Promise<ScaleResult> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  const options = parseScaleOptions(given);
  const stopped = (out: string): ScaleResult => ({
    ...({ type: 'result', out, truths: [], files: [] } as const),
    ...{ seconds: seconds(), interrupted: signal.aborted },
  });
  // What cannot be made is told before anything is measured.
  makeLadder(settingsOf(options), options.steps ?? FEWEST_STEPS);
  if (dryRun) {
    const corpus = options.corpus.map((path) => resolve(path));
    const speed = await measure(options, corpus, join(tmpdir(), `meanfield-scale-${randomUUID()}`), signal, emit);
    if (speed) emit(ladderEvent(ladderOf(options, speed, seconds()), {}, speed, placesOf(options), options.out));
    return stopped(options.out);
  }
  const corpus = options.corpus.map((path) => resolve(path));
  const first = options.resume ? undefined : { options, corpus };
  const folder = await LadderFolder.open(options.out, first, options.force);
  let begun = options.resume;
  try {
    if (folder.notice !== undefined) emit({ type: 'notice', message: folder.notice });
    const own = options.resume ? resumedScaleOptions(given, folder.record.options) : options;
    const speed =
      folder.record.speed ?? (await measure(own, folder.record.corpus, join(folder.folder, 'speed'), signal, emit));
    if (speed === undefined) return stopped(options.out);
    const { shortest } = folder.record;
    const ladder = shortest === undefined ? ladderOf(own, speed, seconds()) : makeLadder(settingsOf(own), shortest);
    await folder.change({ speed, shortest: ladder.steps[0]! });
    begun = true;
    await new LadderRun(folder, ladder, speed, placesOf(own), signal, emit).run();
    const result = finish(folder, ladder);
    const files = await report(folder, ladder, result, emit);
    return { ...result, files, seconds: seconds(), interrupted: signal.aborted };
  } finally {
    if (begun) await folder.release();
    else await folder.remove();
  }
}

/** Writes the law and the page, once there are both. */
async function report(
  folder: LadderFolder,
  ladder: Ladder,
  result: Omit<ScaleResult, 'files' | 'seconds' | 'interrupted'>,
  emit: (event: ScaleEvent) => void,
): Promise<readonly string[]> {
  const found = await reportOf(folder, ladder, result);
  if (found === undefined) return [];
  const { files, notice } = await writeReport(folder.folder, found, scalePage(found));
  if (notice !== undefined) emit({ type: 'notice', message: notice });
  return files;
}

function placesOf({ jobs }: ParsedScaleOptions): number {
  return jobs ?? availableParallelism();
}

/** @param spent seconds of the budget */
function ladderOf(options: ParsedScaleOptions, speed: TrainingSpeed, spent: number): Ladder {
  if (options.steps !== undefined) return makeLadder(settingsOf(options), options.steps);
  return ladderWithin(settingsOf(options), 60 * options.budgetMinutes - spent, speed, placesOf(options));
}

function measure(
  options: ParsedScaleOptions,
  corpus: readonly string[],
  folder: string,
  signal: AbortSignal,
  emit: (event: ScaleEvent) => void,
): Promise<TrainingSpeed | undefined> {
  const [least, most] = MEASURED_BOUNDS;
  const seconds = Math.max(least, Math.min(most, MEASURED_SHARE * 60 * options.budgetMinutes));
  emit({ type: 'preparing', stage: 'measuring how fast this machine trains' });
  const ladder = makeLadder(settingsOf(options), FEWEST_STEPS);
  return measureSpeed(tunedSizes(ladder), options, corpus, { folder, seconds, places: placesOf(options), signal });
}

/** The jobs of a ladder, as many side by side as there are places. */
class LadderRun {
  readonly #running = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();
  readonly #progress: LadderProgress;
  #failure: unknown;
  /** Threads of the runs in work. */
  #taken = 0;

  constructor(
    private readonly folder: LadderFolder,
    private readonly ladder: Ladder,
    speed: TrainingSpeed,
    private readonly places: number,
    private readonly signal: AbortSignal,
    private readonly emit: (event: ScaleEvent) => void,
  ) {
    this.#progress = new LadderProgress(ladder, speed, () => folder.record.results);
    emit(ladderEvent(ladder, folder.record.results, speed, places, folder.folder));
  }

  /** Ends when all are done, or the signal came and those in work are saved. */
  async run(): Promise<void> {
    const { folder, ladder, signal } = this;
    const stop = () => this.#stop.abort();
    signal.addEventListener('abort', stop);
    if (signal.aborted) stop();
    for (const id of Object.keys(folder.record.results)) await tidyJob(folder.runFolder(id));
    try {
      while (!this.#stop.signal.aborted) {
        const { name, jobs } = stageOf(ladder, folder.record.results);
        if (name === 'truth' && folder.record.prediction === undefined) await this.#predict();
        if (name === 'gapTruth' && folder.record.gaps === undefined) await this.#predictGaps();
        const open = jobs.filter(({ id }) => folder.record.results[id] === undefined && !this.#running.has(id));
        for (const job of this.#progress.longestFirst(open)) if (this.#hasPlace(job)) this.#start(job);
        if (this.#running.size === 0) return;
        await Promise.race(this.#running.values());
      }
    } catch (error) {
      this.#failure ??= error;
    } finally {
      stop();
      await Promise.all(this.#running.values());
      signal.removeEventListener('abort', stop);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Whether all threads of a job find a place; one that has more than there are runs alone. */
  #hasPlace(job: LadderJob): boolean {
    return this.#running.size === 0 || this.#taken + threadsOf(job) <= this.places;
  }

  #start(job: LadderJob): void {
    this.#taken += threadsOf(job);
    const work = this.#carryOut(job)
      .catch((error: unknown) => {
        this.#failure ??= error;
        // The others save and end.
        this.#stop.abort();
      })
      .finally(() => {
        this.#running.delete(job.id);
        this.#taken -= threadsOf(job);
      });
    this.#running.set(job.id, work);
  }

  async #carryOut(job: LadderJob): Promise<void> {
    const { folder, ladder, emit } = this;
    const { record } = folder;
    const to = folder.runFolder(job.id);
    const done = await runJob(job, {
      ...{ folder: to, corpus: record.corpus, settings: ladder, signal: this.#stop.signal },
      tell: (event) => {
        const progress = this.#progress.tell(job, event);
        if (progress) emit(progress);
      },
    });
    this.#progress.ended(job);
    if (done === undefined) return;
    const { result, fingerprint } = done;
    const { fingerprint: known = fingerprint } = folder.record;
    if (fingerprint !== known)
      throw new MeanfieldError(
        `The text in ${record.corpus.join(', ')} has changed since the ladder began, so its losses cannot be compared. ` +
          'Restore the text, or make a new ladder.',
      );
    await folder.change({ fingerprint, results: { ...folder.record.results, [job.id]: result } });
    await tidyJob(to);
    const { id, kind, size, steps, rate, seed, averaging } = job;
    const tokens = steps * tokensPerStep(ladder);
    emit({ type: 'job', id, kind, parameters: size.parameters, tokens, rate, seed, ...averaging, ...result });
  }

  /** Fits the law and writes the prediction down, before the run that it is of begins. */
  async #predict(): Promise<void> {
    const { folder, ladder, emit } = this;
    const { fit, at } = forecastFrom(rungPoints(ladder, folder.record.results), ladder.seed);
    const { parameters } = ladder.predicted;
    const tokens = ladder.predictedSteps * tokensPerStep(ladder);
    const prediction = { parameters, tokens, ...at(parameters, tokens) };
    await folder.change({ prediction });
    emit({ type: 'prediction', law: fit.law, ...prediction });
  }
  /** The same of what averaging costs. */
  async #predictGaps(): Promise<void> {
    const { folder, ladder, emit } = this;
    const law = fitGap(gapPoints(ladder, folder.record.results, 'gap'));
    const gaps = averagedCounts(ladder)
      .filter(({ predicted }) => predicted)
      .map(({ replicas, syncEvery }) => ({ replicas, syncEvery, gap: gapOf(law, replicas, syncEvery) }));
    await folder.change({ gaps });
    emit({ type: 'gap_prediction', law, gaps });
  }
}

function threadsOf({ averaging }: LadderJob): number {
  return averaging?.replicas ?? 1;
}
