import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { layoutHash } from '../../averaging/layout-hash.js';
import { MeanfieldError } from '../../base/errors.js';
import { OpenRun } from '../../run/open-run.js';
import { type PreparedData, prepareData } from '../../run/prepare-model.js';
import { Recorder } from '../../run/recorder.js';
import { Standing } from '../../run/standing.js';
import { startedEvent } from '../../run/task.js';
import type { LeadershipLease } from '../../transport/nats/lease.js';
import { OrderDesk } from '../../transport/orders.js';
import type { ClusterResult, CoordinatorEvent, RoundEvent } from '../events.js';
import { startModelThread } from '../model-thread/member-thread.js';
import { trainOptionsBetweenMachines } from '../options.js';
import { partSizes, vectorsOf } from '../part-sizes.js';
import { runQuota, type StoredSizes, workerQuota } from '../quotas.js';
import type { ClusterStatus } from '../status.js';
import type { Connection, CoordinatorOptions } from '../types.js';
import { AfterCommit, type AfterCommitOptions } from './after-commit.js';
import { answerQuestions } from './answers.js';
import { arrangeCluster, type ClusterArrangement } from './arrange.js';
import { Auditor } from './audit.js';
import { loadFolder, stepOf, type VectorKinds } from './checkpoints.js';
import { Coordinator, type Outcome } from './coordinator.js';
import { Journal } from './journal.js';
import { Keeper } from './keeper.js';
import { lead } from './leadership.js';
import { type LeaseWeights, openLeaseWeights } from './lease-weight.js';
import { Observations } from './observations.js';
import { isFinished } from './plan.js';
import { publish } from './publish.js';
import { limitsOf, takeUp } from './resume.js';
import { RoundFigures, totalSteps } from './round-figures.js';
import type { RunState } from './run-state.js';
import { statusOf } from './status-of.js';

/** How a run is spoken to from outside. */
export interface CoordinatorControl {
  readonly stopping: AbortSignal;
  evict: (worker: string, reason: string) => void;
  status: () => ClusterStatus | undefined;
}

/** Milliseconds between the word that a worker is banned and the end of its connection. */
const LAST_WORDS = 200;

/** Between two attempts to lead: milliseconds. */
const AGAIN = 2000;

type Emit = (event: CoordinatorEvent) => void;

/** A coordinator's whole work, from its options to the result. */
export async function coordinate(
  options: CoordinatorOptions,
  control: CoordinatorControl,
  emit: Emit,
): Promise<ClusterResult> {
  const run = await OpenRun.open(trainOptionsBetweenMachines(options.train));
  try {
    for (const message of run.notices) emit({ type: 'notice', message });
    const prepared = await prepareData(run, emit, control.stopping);
    const arranged = await arrangeCluster(run, prepared, options.cluster);
    const data = arranged.cluster.data === 'send' ? await sizeOf(prepared.task.folder) : 0;
    const frozen = prepared.frozen ? (await stat(prepared.frozen.path)).size : 0;
    const bytes = runQuota(storedSizes(arranged, prepared), data + frozen);
    const connection = await options.connect({ id: arranged.id, folder: run.paths.folder, bytes });
    try {
      const weights = await openLeaseWeights(prepared.learned, prepared.task, arranged.setup.seed);
      try {
        return await new Coordination(options, run, prepared, arranged, weights, connection, control, emit).run();
      } finally {
        weights.close();
      }
    } finally {
      await connection.transport.close();
      // A server of ours still writes into the folder, which is taken away below.
      if (!run.begun) await connection.abandon?.();
    }
  } finally {
    await run.end();
  }
}

function storedSizes({ fragments, setup }: ClusterArrangement, { model }: PreparedData): StoredSizes {
  return { parts: partSizes(fragments, setup), vectors: vectorsOf({ setup }), length: model.trained.size };
}

/** Bytes of the files in a folder. */
async function sizeOf(folder: string): Promise<number> {
  const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** A run's folder, connection and model, and the coordinator that leads with them whenever it may. */
class Coordination {
  readonly #started = performance.now();
  readonly #journal: Journal;
  readonly #kinds: VectorKinds;
  readonly #seen = new Observations();
  /** The last that it stored before another led. */
  #last: RunState | undefined;

  constructor(
    private readonly options: CoordinatorOptions,
    private readonly run_: OpenRun,
    private readonly prepared: PreparedData,
    private readonly arranged: ClusterArrangement,
    private readonly weights: LeaseWeights,
    private readonly connection: Connection,
    private readonly control: CoordinatorControl,
    private readonly emit: Emit,
  ) {
    this.#journal = new Journal(join(run_.paths.folder, 'journal'));
    const { setup } = arranged;
    this.#kinds = { momentum: setup.outer.method === 'nesterov', moments: setup.averageMoments };
  }

  async run(): Promise<ClusterResult> {
    const keeper = await this.#startKeeper();
    try {
      for (let first = true; ; first = false) {
        const onWaiting = (leader: string) => this.emit({ type: 'standby', leader });
        const lease = await this.#acquire(onWaiting, first);
        try {
          const ended = await this.#lead(keeper, first, lease);
          if (ended) return this.#result(ended.state, ended.figures, ended.standing);
        } finally {
          await lease.release();
        }
        this.emit({ type: 'notice', message: 'Another coordinator leads; this one stands by.' });
      }
    } finally {
      await keeper.close();
    }
  }

  /** Waits for leadership. Who has led before outlasts a message system that is away; the first word must succeed. */
  async #acquire(onWaiting: (leader: string) => void, first: boolean): Promise<LeadershipLease> {
    const { state } = this.connection.transport;
    for (;;) {
      try {
        return await lead(state, onWaiting, this.control.stopping, this.options.leaderTimeout);
      } catch (error) {
        if (first || this.control.stopping.aborted || !(error instanceof MeanfieldError)) throw error;
        this.emit({ type: 'notice', message: `Cannot lead now: ${error.message}` });
        await sleep(AGAIN);
      }
    }
  }

  async #startKeeper(): Promise<Keeper> {
    const { setup } = this.arranged;
    const thread = (this.options.startThread ?? startModelThread)();
    const threads = this.run_.options.threads ?? 1;
    const modelSetup = {
      ...({ trains: false, alone: false, device: 'cpu', threads } as const),
      tokens: this.prepared.task.folder,
      run: setup,
      ...(this.prepared.frozen && { frozen: this.prepared.frozen }),
    };
    try {
      const sizes = partSizes(this.arranged.fragments, setup);
      return await Keeper.start(thread, modelSetup, vectorsOf({ setup }), this.prepared.model.trained.size, sizes);
    } catch (error) {
      await thread.close();
      throw error;
    }
  }

  /** The state at the run's end, or undefined when another leads now. */
  async #lead(keeper: Keeper, first: boolean, { term, lost }: LeadershipLease) {
    const { transport, gate, key } = this.connection;
    const { plan, setup } = this.arranged;
    const stored = await this.#takeUp(keeper, first);
    this.run_.begin();
    const resumed = this.run_.resumed || !first || stored.state.rounds.committed.round > 0;
    const from = resumed ? stepOf(stored.state) : undefined;
    const recorder = await Recorder.open<RoundEvent>(this.run_.paths, from, this.emit);
    try {
      const figures = new RoundFigures(recorder, plan, setup.schedule);
      let fail: (error: unknown) => void = () => {};
      const failed = new Promise<never>((_, reject) => {
        fail = reject;
      });
      const standing = new Standing(stored.state.progress, this.prepared.learned.metrics[0]);
      const after = this.#afterCommit(
        { keeper, recorder, figures, standing, onFailure: fail },
        {
          happen: (input) => coordinator.happen(input),
          sweep: () => coordinator.sweep(),
        },
      );
      const coordinator = this.#coordinator(keeper, stored, after, term);
      // The one who led before may have ended before it came to this; a gate of JWTs remembers nobody.
      await gate.evict(stored.state.rounds.evicted);
      const status = () => this.#status(coordinator.state, figures);
      const desk = new OrderDesk(transport.control, key, this.arranged.id);
      const stopServing = await this.connection.serve?.(desk);
      const stopAnswering = answerQuestions({
        transport,
        gate,
        key,
        desk,
        coordinator,
        run: this.arranged.id,
        model: this.prepared.model,
        setup,
        status,
        onAsked: ({ id, host, address, replicas }) => this.emit({ type: 'asking', id, host, address, replicas }),
        auditor: new Auditor({
          state: () => coordinator.state,
          keeper,
          blobs: transport.blobs,
          windows: this.prepared.validation,
          fragments: this.arranged.fragments.length,
        }),
      });
      this.control.status = status;
      this.control.evict = (worker, reason) =>
        void coordinator.happen({ type: 'event', event: { type: 'evict', worker, reason } });
      const stop = () => void coordinator.happen({ type: 'event', event: { type: 'stop' } });
      this.control.stopping.addEventListener('abort', stop);
      try {
        if (stored.differs) await after.saveNow(stored.state);
        this.#tellStarted(stored.state);
        if (this.control.stopping.aborted || isFinished(plan, stored.state.progress)) stop();
        const outcome: Outcome = await Promise.race([coordinator.lead(lost), failed]);
        if (outcome === 'lost') {
          this.#last = coordinator.state;
          await after.settle();
          return undefined;
        }
        return { state: await after.finish(coordinator.state), figures, standing };
      } finally {
        this.control.stopping.removeEventListener('abort', stop);
        stopAnswering();
        stopServing?.();
      }
    } finally {
      await recorder.close();
    }
  }

  async #takeUp(keeper: Keeper, first: boolean) {
    const { model, samplesPerEpoch, frozen } = this.prepared;
    const { setup, cluster, context, id } = this.arranged;
    const { transport } = this.connection;
    const { checkpoints } = this.run_.paths;
    let own = this.#last;
    if (first) {
      const vectors = async () => {
        const others = Array.from({ length: keeper.vectors - 1 }, () => new Float32Array(keeper.length));
        return [await this.prepared.initial(), ...others];
      };
      const folder = { checkpoints, journal: this.#journal, frozen };
      const loaded = await loadFolder(folder, model.trained, this.#kinds, keeper, { state: undefined, vectors });
      for (const message of loaded.notices) this.emit({ type: 'notice', message });
      own = loaded.state;
    }
    const taken = await takeUp({
      run: id,
      transport,
      key: this.connection.key,
      keeper,
      own,
      layoutHash: layoutHash(model.trained),
      cluster,
      steps: context.steps,
      limits: limitsOf(setup, context, model.trained.size),
      onNotice: (message) => this.emit({ type: 'notice', message }),
      samples: samplesPerEpoch,
      seed: setup.seed,
      publish: () => {
        const onProgress = (fraction: number) => this.emit({ type: 'preparing', stage: 'publishing', fraction });
        const record = this.run_.content;
        return publish(transport.blobs, { run: id, prepared: this.prepared, setup, cluster, record, onProgress });
      },
    });
    const { committed } = taken.state.rounds;
    return { ...taken, differs: committed.round > 0 && committed.hash !== own?.rounds.committed.hash };
  }

  #afterCommit(
    of: Pick<AfterCommitOptions, 'keeper' | 'recorder' | 'figures' | 'standing' | 'onFailure'>,
    driver: Pick<Coordinator, 'happen' | 'sweep'>,
  ): AfterCommit {
    return new AfterCommit({
      run: this.run_,
      prepared: this.prepared,
      kinds: this.#kinds,
      journal: this.#journal,
      seen: this.#seen,
      blobs: this.connection.transport.blobs,
      emit: this.emit,
      ...of,
      ...driver,
    });
  }

  #coordinator(
    keeper: Keeper,
    stored: { state: RunState; revision: number },
    after: AfterCommit,
    term: number,
  ): Coordinator {
    const { id, context, fragments, cluster, setup } = this.arranged;
    const { transport, gate, key } = this.connection;
    return new Coordinator({
      run: id,
      context: { ...context, weigh: this.weights.weigh },
      keeper,
      journal: this.#journal,
      transport,
      quota: workerQuota(storedSizes(this.arranged, this.prepared)),
      ...{ key, term },
      seen: this.#seen,
      shards: fragments.map(({ shards }) => shards.length),
      // As long as a whole silence: a slow line is no reason to do the work twice.
      patience: 3000 * cluster.heartbeatTimeout,
      exchange: setup.cluster,
      doubleSums: cluster.doubleSums,
      ...(this.options.random && { random: this.options.random }),
      ...stored,
      emit: this.emit,
      onCommit: (commit) => after.onCommit(commit),
      // A little later, so that they hear why; what they say meanwhile counts no more.
      onBanned: (workers) => void setTimeout(() => this.#tellGate(gate.evict(workers)), LAST_WORDS),
      onForgotten: (workers) => void setTimeout(() => this.#tellGate(gate.forget(workers)), LAST_WORDS),
    });
  }

  #tellGate(change: Promise<void>): void {
    change.catch((error: Error) => this.emit({ type: 'notice', message: error.message }));
  }

  #status(state: RunState, figures: RoundFigures): ClusterStatus {
    const { plan } = this.arranged;
    const numbers = {
      totalSteps: totalSteps(plan, state.progress),
      tokensPerSecond: figures.tokensPerSecond,
      seconds: (performance.now() - this.#started) / 1000,
    };
    return statusOf(state, this.#seen, numbers, performance.now());
  }

  #tellStarted(state: RunState): void {
    const replicas = state.rounds.workers.length;
    const threads = this.run_.options.threads ?? 1;
    this.emit(startedEvent(this.run_.paths.folder, this.prepared, { step: stepOf(state), replicas, threads }));
    this.emit({ type: 'leading', run: this.arranged.id, round: state.rounds.committed.round });
  }

  #result(state: RunState, figures: RoundFigures, standing: Standing): ClusterResult {
    const { progress, rounds } = state;
    const { plan } = this.arranged;
    return {
      type: 'result',
      run: this.run_.paths.folder,
      objective: this.prepared.learned.name,
      step: stepOf(state),
      tokens: progress.tokens,
      trainLoss: progress.train_loss,
      valLoss: progress.val_loss!,
      bestValLoss: progress.best_val_loss!,
      tokensPerSecond: figures.tokensPerSecond,
      seconds: (performance.now() - this.#started) / 1000,
      parameters: this.prepared.model.layout.size,
      replicas: Math.max(1, rounds.workers.length),
      rounds: rounds.committed.round,
      interrupted: !standing.reached(this.run_.options) && !isFinished(plan, progress),
    };
  }
}
