import type { TrainEvent, TrainResult } from '../run/events.js';

/** What a coordinator tells while it works: what `train` tells, and what happens between machines. */
export type CoordinatorEvent =
  | TrainEvent
  | StandbyEvent
  | LeadingEvent
  | WaitingEvent
  | RoundOpenedEvent
  | RoundEvent
  | AbortedEvent
  | MemberEvent
  | RefusedEvent
  | AskingEvent;

/** Another coordinator leads; this one takes over when it is heard of no more. */
export interface StandbyEvent {
  readonly type: 'standby';
  readonly leader: string;
}

/** This coordinator leads from now on; workers can join. */
export interface LeadingEvent {
  readonly type: 'leading';
  /** The run's id in the message system. */
  readonly run: string;
  /** The committed round that it starts or carries on from. */
  readonly round: number;
}

/** For whom the run waits, how long already, how long still, and what happens then. */
export interface WaitingFor {
  readonly kind: 'members' | 'reports' | 'contributions' | 'merge';
  /** Workers by name; empty when anyone would do. */
  readonly for: readonly string[];
  readonly seconds: number;
  /** Until something happens all the same; null: without limit. */
  readonly secondsLeft: number | null;
  readonly afterwards: string;
}

export interface WaitingEvent extends WaitingFor {
  readonly type: 'waiting';
}

export interface RoundOpenedEvent {
  readonly type: 'round-opened';
  readonly round: number;
  readonly members: readonly { readonly worker: string; readonly steps: number }[];
}

/** A committed round. Also a line of `metrics.jsonl`. */
export interface RoundEvent {
  readonly type: 'round';
  /** Committed inner steps per replica after it, rounded down. */
  readonly step: number;
  readonly round: number;
  /** Who has contributed. */
  readonly workers: readonly string[];
  /** Members that were left out. */
  readonly missed: readonly string[];
  /** Of this round. */
  readonly tokens: number;
  /** Mean training loss over the round's tokens, in nats per token; null where an earlier coordinator took it along. */
  readonly loss: number | null;
  /** Euclidean norms of the pseudo-gradients, in the order of `workers`. */
  readonly norms: readonly number[];
  /** Where the time went. */
  readonly seconds: RoundSeconds;
  /** Of the workers, since the last commit, over all of them. */
  readonly bytes: { readonly sent: number; readonly received: number };
  /** Time spent on inner steps over the round's length, the mean over contributors; 0 to 1. */
  readonly utilization: number;
  /** Messages and contributions refused since the last commit. */
  readonly refusals: number;
}

/** The phases of a round, in seconds. With fragments they overlap, and add up to more than the round. */
export interface RoundSeconds {
  /** From the last commit (of the first round: from its opening) to this one. */
  readonly round: number;
  /** Inner steps; the mean over contributors, by their clocks. */
  readonly train: number;
  /** From the last step to the stored contribution; likewise. */
  readonly upload: number;
  /** What the other phases leave: waiting for slower members, reports and messages. */
  readonly wait: number;
  /** From the last contribution to the last reduced shard, by the coordinator's clock. */
  readonly reduce: number;
  /** Taking the result of the round before; the mean over workers, by their clocks. */
  readonly gather: number;
  /** Fetching and applying the result, writing the journal and the state; by the coordinator's clock. */
  readonly commit: number;
}

export interface AbortedEvent {
  readonly type: 'aborted';
  readonly round: number;
  readonly reason: string;
}

export interface MemberEvent {
  readonly type: 'member';
  readonly worker: string;
  readonly change: 'joined' | 'ready' | 'left' | 'evicted';
  readonly reason: string;
}

/** Something was refused, and its sender was told. */
export interface RefusedEvent {
  readonly type: 'refused';
  readonly worker: string;
  readonly about: string;
  readonly code: string;
  readonly reason: string;
}

/** A machine has asked to join that a person must approve: `meanfield cluster approve RUN ID`. */
export interface AskingEvent {
  readonly type: 'asking';
  readonly id: string;
  readonly host: string;
  readonly address: string | null;
  readonly replicas: number;
}

/** The end of a coordinated run; `replicas` is how many contributed to the last round. */
export type ClusterResult = Omit<TrainResult, 'bestStep' | 'bitsPerByte' | 'ended' | 'peakMemoryBytes'>;

/** What a worker's process tells while it works. */
export type WorkerEvent =
  | { readonly type: 'notice'; readonly message: string }
  /** What it does before it takes part: `asking`, `configuration`, `tokens`, `parameters`. */
  | { readonly type: 'preparing'; readonly stage: string; readonly fraction?: number }
  /** A person must approve this machine, and knows it by this id. */
  | { readonly type: 'asking'; readonly id: string }
  | { readonly type: 'joined'; readonly run: string; readonly workers: readonly string[] }
  | { readonly type: 'training'; readonly worker: string; readonly round: number; readonly steps: number }
  | {
      readonly type: 'contributed';
      readonly worker: string;
      readonly round: number;
      readonly tokens: number;
      /** In nats per token. */
      readonly loss: number;
      readonly tokensPerSecond: number;
    }
  | { readonly type: 'committed'; readonly worker: string; readonly round: number }
  | { readonly type: 'aborted'; readonly worker: string; readonly round: number; readonly reason: string }
  | {
      readonly type: 'refused';
      readonly worker: string;
      readonly about: string;
      readonly code: string;
      readonly reason: string;
    }
  /** Nothing to do now: for what, and since when in seconds. */
  | { readonly type: 'waiting'; readonly for: string; readonly seconds: number };

/** The end of a worker's part. */
export interface WorkerResult {
  readonly type: 'result';
  readonly run: string;
  readonly workers: readonly string[];
  /** Rounds that it contributed to and that counted. */
  readonly rounds: number;
  readonly tokens: number;
  readonly seconds: number;
  /** Why it ended: `finished` is the run's own end. */
  readonly ended: 'finished' | 'left' | 'evicted';
}
