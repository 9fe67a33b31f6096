import { MeanfieldError } from '../../base/errors.js';
import { spelledError } from '../../base/spelling.js';
import { checkpointPath } from '../../run/checkpoint.js';
import { crosses } from '../../run/limits.js';
import type { OpenRun } from '../../run/open-run.js';
import type { PreparedData } from '../../run/prepare-model.js';
import type { Recorder } from '../../run/recorder.js';
import type { Standing } from '../../run/standing.js';
import { meanLoss } from '../../training/evaluation.js';
import type { BlobStore } from '../../transport/transport.js';
import type { CoordinatorEvent, RoundEvent } from '../events.js';
import { MOST_RESULTS, RESULTS_TO_SNAPSHOT } from '../quotas.js';
import { putSnapshot } from '../snapshot.js';
import { saveClusterCheckpoint, stepOf, type VectorKinds } from './checkpoints.js';
import type { CommittedRound } from './coordinator.js';
import type { Journal } from './journal.js';
import type { Keeper } from './keeper.js';
import { type Observations, typical } from './observations.js';
import type { RoundFigures } from './round-figures.js';
import type { RunState } from './run-state.js';
import type { RunInput } from './step-run.js';

/** What is done after commits. */
export interface AfterCommitOptions {
  readonly run: OpenRun;
  readonly prepared: PreparedData;
  readonly kinds: VectorKinds;
  readonly keeper: Keeper;
  readonly journal: Journal;
  readonly recorder: Recorder<RoundEvent>;
  readonly figures: RoundFigures;
  readonly standing: Standing;
  readonly seen: Observations;
  readonly blobs: BlobStore;
  readonly happen: (input: RunInput) => Promise<void>;
  /** Deletes all blobs that nobody needs any more. */
  readonly sweep: () => Promise<void>;
  readonly emit: (event: CoordinatorEvent) => void;
  /** What goes wrong here ends the run. */
  readonly onFailure: (error: unknown) => void;
}

/** After a commit: figures, evaluations, checkpoints, snapshots for joiners, and blobs that nobody needs any more. */
export class AfterCommit {
  readonly #options: AfterCommitOptions;
  #lastCommit: number | undefined;
  /** Contributions that came too late for the last round: parts may still have been under way when they were deleted. */
  #late: readonly string[] = [];
  /** Bytes of the results since the last snapshot. */
  #bytes = 0;
  #snapshotUnderWay = false;
  #evaluatedAt = -1;
  #failure: { readonly error: unknown } | undefined;
  #writing: Promise<void> = Promise.resolve();
  readonly #jobs = new Set<Promise<void>>();

  constructor(options: AfterCommitOptions) {
    this.#options = options;
  }

  /** The keeper holds the commit for all that is begun here. */
  onCommit(commit: CommittedRound): void {
    const { run, figures, seen, blobs } = this.#options;
    const { before, state, workers } = commit;
    figures.round(roundEvent(commit, seen, this.#lastCommit), state.progress);
    this.#lastCommit = commit.times.committed;
    const { round } = state.rounds.committed;
    const kept = new Set(state.last?.contributions.map(({ worker }) => worker));
    const members = before.rounds.open?.members ?? [];
    const late = members.flatMap(({ worker }) => (kept.has(worker) ? [] : `${worker}/c/${round}`));
    for (const prefix of [...this.#late, ...late]) this.#begin(() => ignoreMissing(blobs.delete(prefix)));
    this.#late = late;
    this.#begin(() => this.#deleteContributions(before));
    const { evalEvery, checkpointEvery = evalEvery } = run.options;
    const crossed = (every: number) => crosses(before.progress.position, state.progress.position + 1e-6, every);
    if (crossed(evalEvery)) this.#begin(() => this.#evaluate(state));
    if (crossed(checkpointEvery)) this.#begin(() => this.#save(state));
    this.#bytes += commit.bytes;
    if (workers.length > 0) this.#snapshotIfDue(state);
  }

  /** Waits for all that is under way. @throws what failed first */
  async settle(): Promise<void> {
    while (this.#jobs.size > 0) await Promise.all(this.#jobs);
    if (this.#failure) throw this.#failure.error;
  }

  /** The end of the run: what is not yet evaluated and saved is. @returns the state with its last evaluation */
  async finish(state: RunState): Promise<RunState> {
    await this.settle();
    const step = stepOf(state);
    if (this.#evaluatedAt !== step) await this.#evaluate(state);
    const { last: val_loss, best: best_val_loss } = this.#options.standing;
    const progress = { ...state.progress, val_loss, best_val_loss };
    const last = { ...state, progress };
    await this.#save(last);
    await this.#deleteContributions(last);
    return last;
  }

  #begin(work: () => Promise<void>): void {
    const job = work().catch((error: unknown) => {
      this.#failure ??= { error };
      this.#options.onFailure(error);
    });
    this.#jobs.add(job);
    void job.finally(() => this.#jobs.delete(job));
  }

  async #evaluate(state: RunState): Promise<void> {
    const { keeper, prepared, recorder, run, standing, happen } = this.#options;
    const { validation: windows } = prepared;
    const step = stepOf(state);
    const { loss, best, reached, parameters } = await keeper.exclusive(async () => {
      const loss = meanLoss([await keeper.thread.ask('evaluate', windows)]);
      if (!Number.isFinite(loss)) throw diverged(step, loss);
      const better = standing.add(step, loss, state.progress.train_loss);
      const reached = standing.reached(run.options);
      const parameters = better ? (await keeper.thread.ask('snapshot', null))[0] : undefined;
      return { loss, best: standing.best!, reached, parameters };
    });
    recorder.evaluation(step, loss);
    this.#evaluatedAt = step;
    if (parameters) await this.#write(() => prepared.writeModel(run.paths.model, parameters));
    void happen({ type: 'evaluated', loss, best });
    if (reached) void happen({ type: 'event', event: { type: 'stop' } });
  }

  /** Makes the folder agree with what is committed, whatever commits lie in its journal. */
  async saveNow(state: RunState): Promise<void> {
    await this.#options.journal.trim(Number.POSITIVE_INFINITY);
    await this.#save(state);
  }

  async #save(state: RunState): Promise<void> {
    const { keeper, run, prepared, kinds, journal, recorder, emit } = this.#options;
    const vectors = await keeper.exclusive(() => keeper.thread.ask('snapshot', null));
    await recorder.sync();
    await this.#write(async () => {
      const { checkpoints } = run.paths;
      const { model, frozen } = prepared;
      await saveClusterCheckpoint(checkpoints, model.trained, kinds, state, vectors, run.options.keep, frozen);
      await journal.trim(state.rounds.committed.round);
    });
    const step = stepOf(state);
    emit({ type: 'checkpoint', step, path: checkpointPath(run.paths.checkpoints, step) });
  }

  /** One after another, in the order of the commits: the next one may be due before this one is on the disk. */
  #write(work: () => Promise<void>): Promise<void> {
    this.#writing = this.#writing.then(work);
    return this.#writing;
  }

  /** A new snapshot when a joiner would fetch several times as much in results as in it. */
  #snapshotIfDue(state: RunState): void {
    const { keeper, blobs, happen, sweep, emit } = this.#options;
    const enough = RESULTS_TO_SNAPSHOT * 4 * keeper.vectors * keeper.length;
    const due = this.#bytes >= enough || state.chain.results.length >= MOST_RESULTS;
    if (!due || this.#snapshotUnderWay) return;
    this.#snapshotUnderWay = true;
    this.#bytes = 0;
    const { round, hash } = state.rounds.committed;
    const vectors = keeper.exclusive(() => keeper.thread.ask('snapshot', null));
    this.#begin(async () => {
      try {
        const manifest = await putSnapshot(blobs, `run/s/${round}`, await vectors);
        await happen({ type: 'snapshot', snapshot: { round, hash, manifest } });
        // What led to the snapshot before the last one too.
        await sweep();
      } catch (error) {
        // The old one still serves, with more results after it; the next commit tries again.
        if (!(error instanceof MeanfieldError)) throw error;
        emit({ type: 'notice', message: `No snapshot of round ${round} could be stored: ${error.message}` });
        this.#bytes = enough;
      } finally {
        this.#snapshotUnderWay = false;
      }
    });
  }

  /** Those to the last round of a state: nobody can audit them any more. */
  async #deleteContributions({ last }: RunState): Promise<void> {
    for (const { worker } of last?.contributions ?? [])
      await ignoreMissing(this.#options.blobs.delete(`${worker}/c/${last!.round}`));
  }
}

/** What cannot be deleted now costs room, not the run. */
async function ignoreMissing(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof MeanfieldError)) throw error;
  }
}

function diverged(step: number, loss: number): MeanfieldError {
  return spelledError(
    MeanfieldError,
    ({ option }) =>
      `Training has diverged: after step ${step} the validation loss is ${loss}. Start a new run with a lower ` +
      `${option('lr')}.`,
  );
}

function roundEvent(commit: CommittedRound, seen: Observations, lastCommit: number | undefined): RoundEvent {
  const { before, state, workers, missed, times } = commit;
  const { contributions, bytes, refusals, gather } = seen.committed(workers);
  const open = before.rounds.open!;
  const round = (times.committed - (lastCommit ?? open.openedAt)) / 1000;
  const train = typical(contributions.map(({ seconds }) => seconds));
  const upload = typical(contributions.map(({ uploadSeconds }) => uploadSeconds));
  const reduce = (times.reduced - times.merging) / 1000;
  const committing = (times.committed - times.reduced) / 1000;
  const wait = Math.max(0, round - train - upload - reduce - committing - gather);
  return {
    type: 'round',
    step: stepOf(state),
    round: state.rounds.committed.round,
    workers,
    missed,
    tokens: state.progress.tokens - before.progress.tokens,
    loss: state.progress.train_loss,
    norms: contributions.map(({ norm }) => norm),
    seconds: { round, train, upload, wait, reduce, gather, commit: committing },
    bytes,
    utilization: round > 0 ? Math.min(1, train / round) : 0,
    refusals,
  };
}
