/** A point in time or a span, in milliseconds, by the driver's clock; the machine itself has none. */
export type Milliseconds = number;

/**
 * What a run's rounds go by. All plain JSON: a time-out of `null` never comes, which makes the machine independent of
 * time (threads). See {@link threadOptions} and {@link machineOptions} for the two usual settings.
 */
export interface RoundOptions {
  /** Share of the round's counted members, in (0, 1], that must contribute before the grace window starts. */
  readonly quorum: number;
  /** How long after the quorum the others are still waited for; `null`: until all have contributed. */
  readonly grace: Milliseconds | null;
  /** A worker silent for so long is taken for dead; `null`: only a leave ends a worker. */
  readonly heartbeatTimeout: Milliseconds | null;
  /** A round open for so long is committed if it has its quorum and aborted if not; `null`: never. */
  readonly roundTimeout: Milliseconds | null;
  /** A contribution whose norm exceeds so many times the round's median is refused; `null`: no such check. */
  readonly outlierFactor: number | null;
  /** No round opens, and none commits, with fewer members than this; at least 1. */
  readonly minimumMembers: number;
  /** H: inner steps of a member between two averagings. */
  readonly steps: number;
  /** Whether a member's H follows its measured speed, so that all arrive together. */
  readonly adaptiveSteps: boolean;
  /** After so many rounds missed in a row a worker no longer counts for the quorum, until it contributes again. */
  readonly idleRounds: number;
  /** A worker whose hash is still wrong after so many healings in a row is evicted. */
  readonly healAttempts: number;
  /** Tokens of an inner step, by which those of a contribution are checked; `null`: they are believed. */
  readonly tokensPerStep: number | null;
  /** The norm of a contribution may be at most so many times its steps; `null`: no such check. */
  readonly normPerStep: number | null;
  /** A worker that has spoiled so many rounds in a row (refused, or left a round that failed) is suspended. */
  readonly strikes: number;
  /** For how long a worker is suspended; `null`: nobody is. */
  readonly suspension: Milliseconds | null;
}

/** The form of what is averaged; a contribution of any other is refused. */
export interface LayoutId {
  /** Hash of the parameter layout: names, offsets, shapes. */
  readonly hash: string;
  /** Elements in the vector. */
  readonly length: number;
}

/** Parameters that were merged and stored: the only truth. Round 0 is what the coordinator initialised. */
export interface Committed {
  readonly round: number;
  readonly hash: string;
}

/** One life of one worker. Each restart has a greater incarnation; a life that has ended never returns. */
export interface Address {
  readonly worker: string;
  readonly incarnation: number;
}

/**
 * - `joined`: connected, has not shown that it holds the committed parameters; counts for nothing
 * - `syncing`: was ready, owes the hash of what was just committed (or restored by an abort)
 * - `ready`: has reported the committed hash; takes part in the next round that opens
 */
export type WorkerStatus = (typeof WORKER_STATUSES)[number];

export const WORKER_STATUSES = ['joined', 'syncing', 'ready'] as const;

export interface WorkerState extends Address {
  readonly status: WorkerStatus;
  /** When its last message came. */
  readonly lastSeen: Milliseconds;
  /** Rounds in a row that ended without its contribution while it was a member. */
  readonly missed: number;
  /** For how long it may be waited for in vain, by what it has contributed; `null`: nothing yet. See `patience.ts`. */
  readonly credit: Milliseconds | null;
  /** How long after the quorum of reports its last one came. */
  readonly lateness: Milliseconds;
  /** Wrong hashes reported in a row. */
  readonly heals: number;
  /** Inner steps a second, measured; `null`: not yet known. */
  readonly stepsPerSecond: number | null;
}

/** What is known about a contribution; its tensor is stored by the driver under `contentHash`. */
export interface Contribution {
  /** Tokens trained on. */
  readonly tokens: number;
  /** What it counts for in the average: the targets that it learned from, as the objective weighs samples. Above 0. */
  readonly weight: number;
  /** Inner steps done. */
  readonly steps: number;
  /** Time spent on the steps, in seconds, by the worker's clock; 0: not measured. */
  readonly seconds: number;
  /** Hash of the parameters that the steps started from: the worker has computed it for its report. */
  readonly baseHash: string;
  readonly layoutHash: string;
  /** Elements in the vector. */
  readonly length: number;
  /** Whether no element is NaN or infinite. */
  readonly finite: boolean;
  /** Euclidean norm of the pseudo-gradient. */
  readonly norm: number;
  readonly contentHash: string;
}

/**
 * - `training`: still owes its contribution
 * - `contributed`: has delivered (and keeps counting even if the worker leaves afterwards)
 * - `left`: left or died before it delivered
 * - `refused`: its contribution, or its parameters, were found wrong; out of this round
 */
export type MemberStatus = (typeof MEMBER_STATUSES)[number];

export const MEMBER_STATUSES = ['training', 'contributed', 'left', 'refused'] as const;

export interface Member extends Address {
  readonly steps: number;
  /** What its contribution weighs, where the driver knows it from the samples that it gave; `null`: it is believed. */
  readonly weight: number | null;
  /** Whether it counts for the quorum: false for one that has missed too many rounds, or is new among others. */
  readonly counted: boolean;
  /** For how long after the quorum it is waited for. */
  readonly patience: Milliseconds;
  /** For how long it was waited for: for its report before the round, or its contribution. */
  readonly lateness: Milliseconds;
  readonly status: MemberStatus;
  readonly contribution: Contribution | null;
}

/** A worker that may not take part for a while. */
export interface Suspended {
  readonly worker: string;
  readonly until: Milliseconds;
  readonly reason: string;
}

/** The round in progress; its members were frozen when it opened and are sorted in replica order. */
export interface OpenRound {
  readonly round: number;
  readonly openedAt: Milliseconds;
  /** When the quorum was reached. */
  readonly quorumAt: Milliseconds | null;
  readonly members: readonly Member[];
}

export const PHASES = ['gathering', 'training', 'merging', 'stopped'] as const;
export type Phase = (typeof PHASES)[number];

/** Everything the coordinator knows, as plain JSON: stored after each tick, it lets another coordinator carry on. */
export interface RoundsState {
  readonly version: 1;
  readonly run: string;
  readonly options: RoundOptions;
  readonly layout: LayoutId;
  /** H of the rounds that open from now on. */
  readonly steps: number;
  readonly committed: Committed;
  /** The highest round number used: the open round's, or the last one's. An aborted number is not used again. */
  readonly round: number;
  readonly phase: Phase;
  /** When the phase began. */
  readonly since: Milliseconds;
  /** When the phase began, or the last report or contribution in it came that counts. */
  readonly heardAt: Milliseconds;
  /** When a quorum of those that held the last parameters had reported that they hold these. */
  readonly reportedAt: Milliseconds | null;
  /** How long the last committed round took until its quorum; 0: none yet. */
  readonly pace: Milliseconds;
  /** The last round that was aborted because newcomers kept it from its quorum; 0: none. */
  readonly gaveUp: number;
  /** Waited in vain, at the run's own cost, and not yet made up for; at most one grace. */
  readonly lost: Milliseconds;
  /** Null outside of `training` and `merging`. */
  readonly open: OpenRound | null;
  /** In replica order. */
  readonly workers: readonly WorkerState[];
  /** The last life of each worker that is gone, in replica order. */
  readonly departed: readonly Address[];
  /** Workers the operator has banned, in replica order. */
  readonly evicted: readonly string[];
  /** Rounds in a row that a worker has spoiled, in replica order; kept by name, so that a new life does not clear it. */
  readonly strikes: readonly { readonly worker: string; readonly count: number }[];
  /** In replica order. */
  readonly suspended: readonly Suspended[];
  /** Whether the run ends with the round in progress. */
  readonly stopping: boolean;
}
