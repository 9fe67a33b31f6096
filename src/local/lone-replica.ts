import { MeanfieldError } from '../base/errors.js';
import type { BatchSampler } from '../data/index.js';
import type { LossSum } from '../training/evaluation.js';
import { learningRate } from '../training/schedule.js';
import type { StreamedAdapter } from '../training/streamed/adapter/streamed-adapter.js';
import type { StreamedReplica } from '../training/streamed/streamed-replica.js';
import type { ReplicaCommands, ReplicaSetup, ReplicaTrained, ShardRequest, StepDone } from './messages.js';
import type { Task } from './task.js';

/** What a replica does that goes through its model layer by layer: others of its run, if there are any, get nothing between steps. */
export abstract class LoneReplica<T extends StreamedReplica | StreamedAdapter> {
  /** Of the targets since the last contribution. */
  #weight = 0;
  /** Taken since the run's beginning. */
  protected steps = 0;

  protected constructor(
    protected readonly setup: ReplicaSetup,
    protected readonly task: Task,
    protected readonly replica: T,
    protected readonly sampler: BatchSampler<unknown>,
  ) {}

  /** Of what is trained. */
  protected abstract hash(): string;

  async step(step: number, rate = learningRate(this.setup.schedule, step)): Promise<StepDone> {
    const { loss, weight } = await this.replica.computeGradient(() => this.sampler.next());
    this.#weight += weight;
    this.steps = step + 1;
    const total = await this.totalWeight(weight);
    if (!Number.isFinite(loss)) return { step, loss, weight, gradientNorm: 0 };
    const { gradientNorm } = await this.replica.applyGradient(step, rate, this.replica.scaleOf(total));
    return { step, loss, weight, gradientNorm };
  }

  /** The targets of a step that the gradient is of, where this replica has so many. */
  protected async totalWeight(own: number): Promise<number> {
    return own;
  }

  /** Steps whose gradient is not finite have told so themselves. */
  async contribute(steps: number, seconds: number): Promise<ReplicaTrained> {
    const weight = this.#weight;
    this.#weight = 0;
    const tokens = steps * this.replica.tokensPerStep;
    return { tokens, weight, steps, seconds, finite: true, norm: 0, parts: [undefined] };
  }

  async take(): Promise<ReplicaCommands['take'][1]> {
    return { hash: this.hash(), gradientNorm: 0 };
  }

  evaluate(numbers: readonly number[]): Promise<LossSum> {
    return this.replica.lossSum(numbers.map((number) => this.task.validation(number)));
  }

  async merge(): Promise<never> {
    throw alone();
  }

  async update(): Promise<never> {
    throw alone();
  }

  async sample(): Promise<never> {
    throw alone();
  }

  async shard(_request: ShardRequest): Promise<ReplicaCommands['shard'][1]> {
    throw alone();
  }

  async dispose(): Promise<void> {
    await this.replica.dispose();
    this.task.close();
  }
}

/** Why some of what is asked of replicas is not asked of this one. */
export const alone = (): MeanfieldError =>
  new MeanfieldError(
    'A replica that goes through its model layer by layer gives others nothing between steps, and writes no texts.',
  );
