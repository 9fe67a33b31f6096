import type { JsonObject } from '../base/json.js';
import type { LossSum } from '../training/evaluation.js';
import type {
  Parts,
  ReplicaCommands,
  ReplicaState,
  ReplicaTrained,
  ShardRequest,
  Snapshot,
  SnapshotRequest,
  StepDone,
} from './messages.js';

/** What a thread has of a replica, whether its model is in memory or on disk. */
export interface LiveReplica {
  load(state: ReplicaState): Promise<string> | string;
  /** One inner step; where gradients are averaged, the gradient alone. */
  step(step: number, rate?: number): Promise<StepDone>;
  contribute(steps: number, seconds: number): Promise<ReplicaTrained>;
  merge(weights: readonly number[], total: number, parts: Parts): Promise<ReplicaCommands['merge'][1]>;
  update(step: number, squares: number, rate?: number): Promise<ReplicaCommands['update'][1]>;
  take(step: number, parts: Parts, squares: number, rate?: number): Promise<ReplicaCommands['take'][1]>;
  evaluate(numbers: readonly number[]): Promise<LossSum>;
  sample(maxTokens: number): Promise<string>;
  snapshot(request: SnapshotRequest): Promise<Snapshot>;
  commit(state: JsonObject): Promise<null>;
  weights(path: string): Promise<{ sha256: string }>;
  shard(request: ShardRequest): Promise<ReplicaCommands['shard'][1]>;
  dispose(): Promise<void>;
}
