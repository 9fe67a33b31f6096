import type { Committed } from '../types.js';

/**
 * What passes through a member and its driver alone understands: blobs and leases between machines, numbers in a
 * simulation. Plain JSON, as all of its state.
 */
export interface Cargo {
  /** By which committed parameters are come to. */
  readonly chain: unknown;
  /** Inner steps of a round. */
  readonly work: { readonly steps: number };
  /** A stored contribution, as it is told. */
  readonly contribution: object;
  /** What a reduction works on. */
  readonly reduction: object;
  /** What became of one shard, as it is told. */
  readonly sum: object;
}

/** See `Standing` in `../events.ts`; `chain` leads to `committed`. */
interface Standing<C extends Cargo> {
  readonly committed: Committed;
  /** The highest round number that is over. */
  readonly closed: number;
  readonly chain: C['chain'];
}

export type MemberStanding<C extends Cargo> = Standing<C> &
  (
    | { readonly type: 'welcome' | 'commit' | 'heal' | 'stopped' }
    | { readonly type: 'abort'; readonly round: number; readonly reason: string }
  );

/** The message is its round's work itself. */
export type MemberStart<C extends Cargo> = C['work'] & {
  readonly type: 'startRound';
  readonly round: number;
  readonly base: Committed;
  /** With fragments: what to go on with until the next round opens. It is of the round after this one. */
  readonly next: C['work'] | null;
};

export type MemberReduce<C extends Cargo> = C['reduction'] & {
  readonly type: 'reduce';
  readonly round: number;
  /** Tells a merge from an earlier one of the same round with other contributions. */
  readonly attempt: string;
  readonly shards: readonly number[];
};

export interface RefuseMessage {
  readonly type: 'refuse';
  readonly about: string;
  /** A `RefusalCode`, or another that the driver's coordinator knows. */
  readonly code: string;
  readonly reason: string;
}

export interface EvictMessage {
  readonly type: 'evict';
  readonly reason: string;
  /** It need not try again. */
  readonly banned: boolean;
}

/** What a coordinator tells a member. */
export type MessageToMember<C extends Cargo> =
  | MemberStanding<C>
  | MemberStart<C>
  | MemberReduce<C>
  | { readonly type: 'accepted'; readonly round: number }
  | RefuseMessage
  | EvictMessage;

/** What a member tells its coordinator; the driver adds run, name and figures. */
export type MessageOfMember<C extends Cargo> =
  | { readonly type: 'join' }
  | { readonly type: 'leave'; readonly reason: string }
  | { readonly type: 'heartbeat'; readonly holds: number | null; readonly round: number | null }
  | { readonly type: 'report'; readonly round: number; readonly hash: string; readonly closed: number }
  | { readonly type: 'contribution'; readonly contribution: C['contribution'] }
  | { readonly type: 'sum'; readonly sum: C['sum'] };

export type MemberInput<C extends Cargo> =
  /** Once, before all others. */
  | { readonly type: 'start' }
  /** A message, and the life that it is for. */
  | { readonly type: 'heard'; readonly incarnation: number; readonly message: MessageToMember<C> }
  /** It is time for a sign of life. */
  | { readonly type: 'beat' }
  /** So many of a round's steps are done that others' results may be mixed in. */
  | { readonly type: 'mixable'; readonly round: number }
  /** `finite`: whether no loss, gradient or parameter was NaN or infinite. */
  | { readonly type: 'trained'; readonly round: number; readonly finite: boolean }
  /** Told to stop, before all steps were done. */
  | { readonly type: 'halted'; readonly round: number }
  | { readonly type: 'stored'; readonly round: number; readonly contribution: C['contribution'] }
  /** `full`: it was more than this member may store. */
  | { readonly type: 'notStored'; readonly round: number; readonly full: boolean; readonly reason: string }
  /** One more step of the way: held now, with the hash that was found. `whole`: it was the snapshot. */
  | { readonly type: 'took'; readonly held: Committed; readonly whole: boolean }
  /** At the end of the chain. */
  | { readonly type: 'caughtUp' }
  | { readonly type: 'cutOff'; readonly reason: string }
  | { readonly type: 'rolledBack' }
  /** `done`: it is a sum; else why there is none, and the next who asks has it tried again. */
  | {
      readonly type: 'reduced';
      readonly round: number;
      readonly attempt: string;
      readonly shard: number;
      readonly done: boolean;
      readonly sum: C['sum'];
    }
  /** The member is to go; what it has delivered counts. */
  | { readonly type: 'leave'; readonly reason: string }
  /** The message system has shut it out: nobody would hear a farewell. */
  | { readonly type: 'shutOut' }
  /** What it runs on has failed. */
  | { readonly type: 'failed'; readonly reason: string };

/** Of interest to people. */
export type MemberNews =
  | { readonly type: 'training'; readonly round: number; readonly steps: number }
  | { readonly type: 'contributed'; readonly round: number }
  | { readonly type: 'committed'; readonly round: number }
  | { readonly type: 'aborted'; readonly round: number; readonly reason: string }
  | { readonly type: 'refused'; readonly about: string; readonly code: string; readonly reason: string }
  | { readonly type: 'rejoining' | 'suspended'; readonly reason: string }
  | { readonly type: 'cutOff'; readonly round: number; readonly reason: string }
  | { readonly type: 'notStored'; readonly round: number; readonly reason: string };

export type MemberEnd = 'finished' | 'left' | 'evicted';

/** What is to be done. What takes long is answered by an event; only `end` and `fail` need none. */
export type MemberEffect<C extends Cargo> =
  | { readonly type: 'send'; readonly incarnation: number; readonly message: MessageOfMember<C> }
  /**
   * Do these steps on the local parameters, as they are. Answered by `mixable` once `mixAfter` steps are done, where that
   * is not 0, then by `trained`, or by `halted` if `stopTraining` comes between.
   */
  | { readonly type: 'train'; readonly round: number; readonly work: C['work']; readonly mixAfter: number }
  | { readonly type: 'stopTraining' }
  /** Store what was trained in that round. Answered by `stored` or `notStored`, unless `stopStoring` comes between. */
  | {
      readonly type: 'store';
      readonly incarnation: number;
      readonly round: number;
      readonly base: Committed;
    }
  | { readonly type: 'stopStoring' }
  /**
   * Come to the end of the chain, by the results since what is held or from its snapshot. Answered by `took` after each
   * step, then by `caughtUp` or `cutOff`.
   */
  | {
      readonly type: 'catchUp';
      readonly committed: Committed;
      readonly chain: C['chain'];
      readonly held: Committed | null;
    }
  /** Local parameters become the held ones again. Answered by `rolledBack`. */
  | { readonly type: 'rollBack' }
  /** Sum these shards. Answered by `reduced` for each, unless `stopReducing` comes between. */
  | { readonly type: 'reduce'; readonly request: MemberReduce<C>; readonly shards: readonly number[] }
  | { readonly type: 'stopReducing' }
  | { readonly type: 'tell'; readonly news: MemberNews }
  /** It is over: whatever is under way ends. */
  | { readonly type: 'end'; readonly ended: MemberEnd }
  /** As `end`, by a failure: its storage stays `full`, the run has `refused` it, or what it runs on is `broken`. */
  | { readonly type: 'fail'; readonly why: 'full' | 'refused' | 'broken'; readonly reason: string };

/**
 * - `joining`: has asked to take part, in this life, and has no answer
 * - `member`: was welcomed
 * - `suspended`: may not take part for now; asks again now and then
 * - `over`: has ended
 */
export type MemberLife = 'joining' | 'member' | 'suspended' | 'over';

/** The round that it trains in or has contributed to. */
export interface OwnRound<C extends Cargo> {
  readonly round: number;
  /** What the steps start from. */
  readonly base: Committed;
  readonly next: C['work'] | null;
  /** `failed`: it could not be stored, and this round goes on without it. */
  readonly stage: 'training' | 'storing' | 'contributed' | 'failed';
}

/** All that a member knows. Plain JSON, never changed. */
export interface MemberState<C extends Cargo> {
  readonly incarnation: number;
  /** τ: steps of the next round after which the result of the last may be mixed in. */
  readonly overlap: number;
  readonly life: MemberLife;
  /** Beats since it was suspended. */
  readonly knocks: number;
  /** The highest round number that it knows to be over. */
  readonly closed: number;
  /** The committed parameters that it holds, with the hash that was found, right or wrong. */
  readonly holds: Committed | null;
  /** Those that it is to come to. */
  readonly target: Standing<C> | null;
  /** What is being done to its parameters; `catchingUp` says to which. */
  readonly taking: 'chain' | 'rollback' | null;
  readonly catchingUp: Committed | null;
  /** Whether local parameters may be others than those that it holds. */
  readonly dirty: boolean;
  readonly owesReport: boolean;
  /** Whether the run is over, and it only takes the last parameters. */
  readonly stopping: boolean;
  readonly round: OwnRound<C> | null;
  /** The round after it, whose steps it does or has done already; `finite` once they are done. */
  readonly ahead: { readonly round: number; readonly finite: boolean | null } | null;
  /** Steps that are under way. */
  readonly training: { readonly round: number; readonly stopped: boolean; readonly mixable: boolean } | null;
  /** A contribution that is not known to have arrived. */
  readonly pending: C['contribution'] | null;
  /** Contributions in a row that were more than it may store. */
  readonly beyond: number;
  /** The merge that it sums shards for; null: that shard is under way. */
  readonly reducing: {
    readonly round: number;
    readonly attempt: string;
    readonly shards: Readonly<Record<number, C['sum'] | null>>;
  } | null;
}

export interface MemberStep<C extends Cargo> {
  readonly state: MemberState<C>;
  /** To be carried out in this order. */
  readonly effects: readonly MemberEffect<C>[];
  /** Why, in a sentence. */
  readonly reason: string;
}
