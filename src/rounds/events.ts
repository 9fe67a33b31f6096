import type { Address, Committed, Contribution, Milliseconds, RoundsState } from './types.js';

/** What every message of a worker carries (rule 1). */
interface FromWorker extends Address {
  readonly run: string;
}

/** Asks to take part; the answer is `welcome` or `refuse`. */
export interface Join extends FromWorker {
  readonly type: 'join';
  readonly layoutHash: string;
  /** Inner steps a second, if the worker has measured it. */
  readonly stepsPerSecond: number | null;
}

/** The worker goes, or the driver saw its connection, process or thread end and says so for it. */
export interface Leave extends FromWorker {
  readonly type: 'leave';
  readonly reason: string;
}

/** A sign of life that says where the worker stands, so that whatever message was lost is sent again. */
export interface Heartbeat extends FromWorker {
  readonly type: 'heartbeat';
  /** The committed round whose parameters it holds; `null`: none yet. */
  readonly holds: number | null;
  /** The round it trains in or has contributed to; `null`: none. */
  readonly round: number | null;
}

/** The worker's pseudo-gradient is stored where the merge will find it. */
export interface Contribute extends FromWorker, Contribution {
  readonly type: 'contribution';
  readonly round: number;
}

/** The hash of the worker's parameters after it took those of a committed round (rules 5 and 6). */
export interface Report extends FromWorker {
  readonly type: 'report';
  /** The committed round whose parameters it holds. */
  readonly round: number;
  /** The `closed` of the message it answers, so that a report from before an abort does not count after it. */
  readonly closed: number;
  readonly hash: string;
}

export type WorkerMessage = Join | Leave | Heartbeat | Contribute | Report;

/** What the driver itself tells the machine. */
export type DriverEvent =
  /** The merge is done and its result is stored for good. */
  | { readonly type: 'merged'; readonly round: number; readonly hash: string }
  /** The merge failed; `workers` are those whose stored contribution was missing or damaged, if it was theirs. */
  | {
      readonly type: 'mergeFailed';
      readonly round: number;
      readonly reason: string;
      readonly workers: readonly string[];
    }
  /** Time has passed; due at {@link nextDeadline}. Deliver messages that are already here first. */
  | { readonly type: 'timer' }
  /** A coordinator starts from a stored state, perhaps on another machine with another clock. */
  | { readonly type: 'restart' }
  /** The operator bans a worker, or the driver one that has told a false sum. */
  | { readonly type: 'evict'; readonly worker: string; readonly reason: string }
  /** The driver has had enough of a worker's messages: it may not take part for a while. */
  | { readonly type: 'suspend'; readonly worker: string; readonly reason: string }
  /** Another H from the next round on (a warm-up, a short last round). */
  | { readonly type: 'steps'; readonly steps: number }
  /** The run ends once the round in progress is committed or aborted. */
  | { readonly type: 'stop' };

export type RoundsEvent = WorkerMessage | DriverEvent;

/** Why a message was refused, for programs; the effect's `reason` says it for people. */
export type RefusalCode =
  | 'malformed'
  | 'wrong-run'
  | 'unknown-worker'
  | 'old-incarnation'
  | 'new-incarnation'
  | 'past-round'
  | 'future-round'
  | 'not-a-member'
  | 'too-late'
  | 'wrong-base'
  | 'wrong-layout'
  | 'wrong-shape'
  | 'wrong-steps'
  | 'wrong-weight'
  | 'not-finite'
  | 'outlier'
  | 'conflict'
  | 'damaged'
  | 'evicted'
  | 'suspended'
  | 'stopped';

/**
 * Where the run stands, in every message that may move a worker. A worker drops what it trains in a round up to
 * `closed`, takes the parameters of `committed` unless it holds those or later ones (by round and hash), and reports
 * the hash of what it holds. All these messages may come twice, late and out of order.
 */
interface Standing {
  readonly to: readonly Address[];
  readonly committed: Committed;
  /** The highest round number that is over. */
  readonly closed: number;
}

/** Admitted: download the committed parameters, verify them, report their hash. */
export interface Welcome extends Standing {
  readonly type: 'welcome';
}

/** A round is committed (or was, and the worker seems not to know). */
export interface Commit extends Standing {
  readonly type: 'commit';
}

/** The round is void: back to the committed parameters. Never to the local ones (rule 4). */
export interface Abort extends Standing {
  readonly type: 'abort';
  readonly round: number;
  readonly reason: string;
}

/** The worker's parameters are wrong: take the committed ones again (unless their hash is right by now). */
export interface Heal extends Standing {
  readonly type: 'heal';
  readonly reason: string;
}

/** Train so many inner steps from the parameters of `base`. A repeated one for the same round changes nothing. */
export interface StartRound {
  readonly type: 'startRound';
  readonly to: readonly Address[];
  readonly round: number;
  readonly base: Committed;
  /** In replica order; `steps` is each member's H. */
  readonly members: readonly (Address & { readonly steps: number })[];
}

/** The contribution counts; the worker need not send it again. */
export interface Accepted {
  readonly type: 'accepted';
  readonly to: readonly Address[];
  readonly round: number;
}

export interface Refuse {
  readonly type: 'refuse';
  readonly to: readonly Address[];
  readonly about: WorkerMessage['type'];
  readonly code: RefusalCode;
  readonly reason: string;
}

/** For the driver: average these, store the result, then tell `merged` or `mergeFailed`. */
export interface Merge {
  readonly type: 'merge';
  readonly round: number;
  readonly base: Committed;
  /** In replica order, the order of summation; the share of each is `weight / totalWeight`. */
  readonly contributions: readonly (Address & Contribution)[];
  readonly totalWeight: number;
}

/** The worker is out of the run: dead, banned, or beyond healing. */
export interface Evict {
  readonly type: 'evict';
  readonly to: readonly Address[];
  readonly reason: string;
}

/** What is waited for now: told when it changes; {@link waitingFor} gives it at any time. */
export interface Waiting {
  readonly type: 'waiting';
  readonly kind: 'members' | 'reports' | 'contributions' | 'merge';
  /** Workers by name; empty when anyone would do. */
  readonly for: readonly string[];
  readonly since: Milliseconds;
  /** `null`: without limit. */
  readonly until: Milliseconds | null;
  /** What happens at `until`, or when those waited for have answered. */
  readonly afterwards: string;
}

/** The run is over; the committed parameters are its result. */
export interface Stopped extends Standing {
  readonly type: 'stopped';
}

export type Effect =
  | Welcome
  | Commit
  | Abort
  | Heal
  | StartRound
  | Accepted
  | Refuse
  | Merge
  | Evict
  | Waiting
  | Stopped;

/** An effect that is sent to workers, as against one for the driver itself. */
export type MessageToWorker = Exclude<Effect, Merge | Waiting>;

/** What a tick gives. */
export interface Step {
  readonly state: RoundsState;
  /** To be carried out in this order, after `state` is stored. */
  readonly effects: readonly Effect[];
  /** Why, in a sentence. */
  readonly reason: string;
}
