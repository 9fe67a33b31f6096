import { sha256 } from '../base/hash.js';
import { BatchSampler } from '../data/index.js';
import { NodeEngine } from '../engine/node/engine.js';
import type { LossSum } from '../training/evaluation.js';
import type { Collective } from '../training/streamed/sharded/collective.js';
import { ShardedSections } from '../training/streamed/sharded/sharded-sections.js';
import { StreamedReplica } from '../training/streamed/streamed-replica.js';
import type { LiveReplica } from './live-replica.js';
import { alone, LoneReplica } from './lone-replica.js';
import type { ReplicaCommands, ReplicaSetup, ReplicaState, ShardRequest, Snapshot } from './messages.js';
import { type CollectiveMemory, SharedCollective } from './shared-collective.js';
import { openTask, type Task } from './task.js';

/**
 * A replica that has a share of the model's state alone (ZeRO, stages 2 and 3), and goes through the model layer by layer together
 * with the others. All of them begin the same commands, or none ends.
 */
export class ShardedReplica extends LoneReplica<StreamedReplica> implements LiveReplica {
  private constructor(
    setup: ReplicaSetup,
    task: Task,
    replica: StreamedReplica,
    sampler: BatchSampler<unknown>,
    private readonly sections: ShardedSections,
    private readonly collective: Collective,
  ) {
    super(setup, task, replica, sampler);
  }

  static async create(setup: ReplicaSetup, shared: CollectiveMemory): Promise<ShardedReplica> {
    const { batchSize, threads, seed, gradAccum, replica: rank, replicas, stage } = setup;
    const { beta1, beta2, epsilon, weightDecay, clip } = setup.optimizer;
    const task = await openTask(setup.task, seed);
    const sampler = new BatchSampler({ source: task.training, batchSize, replica: rank, worldSize: replicas });
    const collective = new SharedCollective(rank, shared);
    const means = {
      engine: new NodeEngine(),
      optimizer: { beta1, beta2, epsilon, weightDecay, clip },
      // Threads that spin would take the others' cores, and an arena keeps what the largest layer of each kind needed.
      compile: { threads, spinning: false, arena: false },
    };
    let sharded!: ShardedSections;
    const replica = await StreamedReplica.create({
      ...means,
      objective: task.objective,
      batch: batchSize,
      gradientAccumulation: gradAccum,
      open: (sections) => (sharded = new ShardedSections(sections, { ...means, collective, stage: stage! })),
    });
    return new ShardedReplica(setup, task, replica, sampler, sharded, collective);
  }

  /** Its shards come one by one. */
  load({ sampler }: ReplicaState): string {
    if (sampler) this.sampler.restore(sampler);
    return this.hash();
  }

  override async evaluate(numbers: readonly number[]): Promise<LossSum> {
    const own = this.replica.passesFor(numbers.length);
    const places = Array.from({ length: this.collective.ranks }, (_, rank) =>
      rank === this.collective.rank ? own : 0,
    );
    const passes = Math.max(...(await this.collective.sum(places)));
    const samples = numbers.map((number) => this.task.validation(number));
    return this.replica.lossSum(samples, passes);
  }

  /** Its place among the samples; its shards are as the last step left them then. */
  async snapshot(): Promise<Snapshot> {
    await this.replica.flush();
    return { sampler: this.sampler.state };
  }

  override async shard({ section, vector, values }: ShardRequest): Promise<ReplicaCommands['shard'][1]> {
    const own = this.sections.shard(section, vector);
    if (!values) return { values: own.slice() };
    own.set(values);
    return {};
  }

  async commit(): Promise<never> {
    throw alone();
  }

  async weights(): Promise<never> {
    throw alone();
  }

  protected override async totalWeight(own: number): Promise<number> {
    const [total] = await this.collective.sum([own]);
    return total!;
  }

  /** None has all parameters: that they took the same steps is what each can tell. */
  protected hash(): string {
    return sha256(`a model in shards, ${this.steps}`);
  }
}
