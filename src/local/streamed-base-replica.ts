import { cutShards, hashVector } from '../averaging/shards.js';
import { BatchSampler } from '../data/index.js';
import { NodeEngine } from '../engine/node/engine.js';
import { openBase } from '../run/streamed-base.js';
import type { TaskSetup } from '../run/task.js';
import { copyMoment } from '../training/moments.js';
import { StreamedAdapter } from '../training/streamed/adapter/streamed-adapter.js';
import type { LiveReplica } from './live-replica.js';
import { alone, LoneReplica } from './lone-replica.js';
import type { ReplicaSetup, ReplicaState, Snapshot, SnapshotRequest } from './messages.js';
import { openTask } from './task.js';

/** The base that layers are read from one by one, of a task that has such a one. */
export function streamedBase(task: TaskSetup): { readonly path: string; readonly sha256: string } | undefined {
  return task.kind === 'data' && task.frozen?.streamed ? task.frozen : undefined;
}

/** A replica that trains an adapter beside a model whose layers come from its files; it is the only one of its run. */
export class StreamedBaseReplica extends LoneReplica<StreamedAdapter> implements LiveReplica {
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
    return this.hash();
  }

  async snapshot({ parameters, moments }: SnapshotRequest): Promise<Snapshot> {
    const { vectors } = this.replica;
    return {
      ...(parameters && { parameters: vectors.parameters.slice() }),
      ...(moments && { moment1: copyMoment(vectors.moment1), moment2: copyMoment(vectors.moment2) }),
      sampler: this.sampler.state,
    };
  }

  async commit(): Promise<never> {
    throw alone();
  }

  async weights(): Promise<never> {
    throw alone();
  }

  protected hash(): string {
    const { parameters } = this.replica.vectors;
    return hashVector(parameters, cutShards(parameters.length, 1));
  }
}
