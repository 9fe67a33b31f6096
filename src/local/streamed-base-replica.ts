import { cutShards, hashVector } from '../averaging/shards.js';
import { MeanfieldError } from '../base/errors.js';
import { BatchSampler } from '../data/index.js';
import { NodeEngine } from '../engine/node/engine.js';
import { openBase } from '../run/streamed-base.js';
import type { TaskSetup } from '../run/task.js';
import type { LossSum } from '../training/evaluation.js';
import { learningRate } from '../training/schedule.js';
import { StreamedAdapter } from '../training/streamed/adapter/streamed-adapter.js';
import type { LiveReplica } from './live-replica.js';
import type {
  ReplicaCommands,
  ReplicaSetup,
  ReplicaState,
  ReplicaTrained,
  Snapshot,
  SnapshotRequest,
  StepDone,
} from './messages.js';
import { openTask, type Task } from './task.js';

/** The base that layers are read from one by one, of a task that has such a one. */
export function streamedBase(task: TaskSetup): { readonly path: string; readonly sha256: string } | undefined {
  return task.kind === 'data' && task.frozen?.streamed ? task.frozen : undefined;
}

/** A replica that trains an adapter beside a model whose layers come from its files; it is the only one of its run. */
export class StreamedBaseReplica implements LiveReplica {
  /** Of the targets since the last contribution. */
  #weight = 0;

  private constructor(
    private readonly setup: ReplicaSetup,
    private readonly task: Task,
    private readonly replica: StreamedAdapter,
    private readonly sampler: BatchSampler<unknown>,
  ) {}

  static async create(setup: ReplicaSetup): Promise<StreamedBaseReplica> {
    const { batchSize, threads, seed, gradAccum, optimizer } = setup;
    const { path, sha256 } = streamedBase(setup.task)!;
    const task = await openTask(setup.task, seed);
    const sampler = new BatchSampler({ source: task.training, batchSize, replica: 0, worldSize: 1 });
    const base = await openBase(path, sha256);
    const replica = await StreamedAdapter.create({
      objective: task.objective,
      base,
      engine: new NodeEngine(),
      batch: batchSize,
      gradientAccumulation: gradAccum,
      optimizer,
      // An arena keeps what the largest layer needed.
      compile: { threads, spinning: threads > 1, arena: false },
    });
    return new StreamedBaseReplica(setup, task, replica, sampler);
  }

  load({ parameters, moment1, moment2, sampler }: ReplicaState): string {
    this.replica.adopt({ parameters, ...(moment1 && { moment1 }), ...(moment2 && { moment2 }) });
    if (sampler) this.sampler.restore(sampler);
    return this.#hash();
  }

  async step(step: number, rate = learningRate(this.setup.schedule, step)): Promise<StepDone> {
    const { loss, weight } = await this.replica.computeGradient(() => this.sampler.next());
    this.#weight += weight;
    if (!Number.isFinite(loss)) return { step, loss, weight, gradientNorm: 0 };
    const { gradientNorm } = await this.replica.applyGradient(step, rate, this.replica.scaleOf(weight));
    return { step, loss, weight, gradientNorm };
  }

  /** Steps whose gradient is not finite have told so themselves. */
  async contribute(steps: number, seconds: number): Promise<ReplicaTrained> {
    const weight = this.#weight;
    this.#weight = 0;
    const tokens = steps * this.replica.tokensPerStep;
    return { tokens, weight, steps, seconds, finite: true, norm: 0, parts: [undefined] };
  }

  async take(): Promise<ReplicaCommands['take'][1]> {
    return { hash: this.#hash(), gradientNorm: 0 };
  }

  evaluate(numbers: readonly number[]): Promise<LossSum> {
    return this.replica.lossSum(numbers.map((number) => this.task.validation(number)));
  }

  async snapshot({ parameters, moments }: SnapshotRequest): Promise<Snapshot> {
    const { vectors } = this.replica;
    return {
      ...(parameters && { parameters: vectors.parameters.slice() }),
      ...(moments && { moment1: vectors.moment1.slice(), moment2: vectors.moment2.slice() }),
      sampler: this.sampler.state,
    };
  }

  async merge(): Promise<never> {
    throw alone();
  }

  async sample(): Promise<never> {
    throw alone();
  }

  async commit(): Promise<never> {
    throw alone();
  }

  async weights(): Promise<never> {
    throw alone();
  }

  async dispose(): Promise<void> {
    await this.replica.dispose();
    this.task.close();
  }

  #hash(): string {
    const { parameters } = this.replica.vectors;
    return hashVector(parameters, cutShards(parameters.length, 1));
  }
}

const alone = (): MeanfieldError =>
  new MeanfieldError('An adapter beside a model on disk has no other replicas, and writes no texts.');
