import type { DeviceChoice } from '../engine/node/device-names.js';
import type { TrainOptions } from '../run/options.js';
import type { OrderDesk } from '../transport/orders.js';
import type { RunKey } from '../transport/signed.js';
import type { Door, Gate, Transport } from '../transport/transport.js';
import type { ClusterResult, CoordinatorEvent, WorkerEvent, WorkerResult } from './events.js';
import type { ModelHandle } from './model-thread/commands.js';
import type { ClusterOptions } from './options.js';
import type { ClusterStatus } from './status.js';
import type { WorkerOffload } from './worker/layered.js';
import type { WorkerLimits } from './worker/limits.js';

/** What a coordinator is connected to. */
export interface Connection {
  readonly transport: Transport;
  readonly gate: Gate;
  /** Of the run's coordinators, the same on each machine that may coordinate it. */
  readonly key: RunKey;
  /** Begins what the gate does while this coordinator leads. @returns what ends it */
  readonly serve?: (desk: OrderDesk) => Promise<() => void>;
  /** Takes away what was made for a run that then did not begin. */
  readonly abandon?: () => Promise<void>;
}

/** What a run is to be connected to a message system for. */
export interface RunNeeds {
  readonly id: string;
  readonly folder: string;
  /** That the run itself may have stored at once; each worker has a quota of its own. */
  readonly bytes: number;
}

/** What {@link startCoordinator} takes. */
export interface CoordinatorOptions {
  /** As for `train`; `replicas` is ignored, `threads` are the coordinator's own. `resume` carries on in its folder. */
  readonly train: TrainOptions;
  readonly cluster?: ClusterOptions;
  /**
   * Connects once the run's folder is there and locked.
   *
   * @param run its id (letters, digits, `-`), the same on each resumption; the bytes that it may come to store itself
   */
  readonly connect: (run: RunNeeds) => Promise<Connection>;
  /** How a model's thread is started; as a thread of its own unless given. */
  readonly startThread?: () => ModelHandle;
  /** Milliseconds of silence after which a leader may be followed by another. Default 12,000. */
  readonly leaderTimeout?: number;
  /** From 0 to 1, for what no worker must foretell: which sums are checked. Cryptographic unless given. */
  readonly random?: () => number;
}

/** A coordinated run. Its events can be read once, with `for await`; reading them is not needed. */
export interface CoordinatorRun extends AsyncIterable<CoordinatorEvent> {
  /** Fulfilled at the end, rejected with a MeanfieldError when the run cannot go on. */
  readonly result: Promise<ClusterResult>;
  /** Ends the run after the round in progress and saves; the result says `interrupted`. */
  stop(): void;
  /** Bans a worker at once. */
  evict(worker: string, reason: string): void;
  /** Undefined before it leads. */
  status(): ClusterStatus | undefined;
}

/** What {@link startWorker} takes. */
export interface WorkerOptions {
  readonly door: Door;
  /** Copies of the model, each in a thread. Default 1. */
  readonly replicas?: number;
  /** Of each replica. Default: the machine's cores shared between them. */
  readonly threads?: number;
  readonly device?: DeviceChoice;
  /** What of its model is on disk, in {@link cache}; it is trained layer by layer on the CPU then. Nothing unless given. */
  readonly offload?: WorkerOffload;
  /** A folder for tokens, used again by later workers of this machine. */
  readonly cache: string;
  /** What the run may ask of this machine. */
  readonly limits?: WorkerLimits;
  /** What the machine is called in `status`. Default: the host's name. */
  readonly host?: string;
  /** How long to knock when no coordinator answers, in seconds. Default 60. */
  readonly patience?: number;
  /** How long to wait for a person's approval, where the invitation asks for it, in seconds. Default 3600. */
  readonly approvalPatience?: number;
  readonly startThread?: () => ModelHandle;
}

/** A worker's process that takes part in a run, with one or more replicas. */
export interface WorkerRun extends AsyncIterable<WorkerEvent> {
  /** Rejected with a MeanfieldError that says why, when it is refused. */
  readonly result: Promise<WorkerResult>;
  /** Leaves politely: what it has contributed counts. */
  leave(): void;
}
