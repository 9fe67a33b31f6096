import { fragmentOf } from '../../averaging/fragments.js';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import type { Merge } from '../../rounds/index.js';
import type { BlobStore } from '../../transport/transport.js';
import type { ReduceMessage } from '../protocol/down.js';
import type { UpMessage } from '../protocol/up.js';
import type { Keeper } from './keeper.js';
import { type MergedRound, type MergeOptions, RoundMerge } from './merge-round.js';
import { MergeError } from './own-sums.js';
import type { RunState } from './run-state.js';
import type { RunContext, RunInput } from './step-run.js';
import { shardToCheck } from './sum-checks.js';

/** Between two looks at a merge, at most: milliseconds. */
const LOOK = 1000;
/** Rounds in which a reducer that did not deliver is not asked; twice as many each time. */
const SPARED = 8;
const MOST_SPARED = 1024;

export interface MergingOptions {
  readonly context: RunContext;
  readonly keeper: Keeper;
  readonly blobs: BlobStore;
  /** Shards of each fragment. */
  readonly shards: readonly number[];
  /** Milliseconds of silence after which a reducer's shards go to others. */
  readonly patience: number;
  readonly state: () => RunState;
  readonly send: (worker: string, message: ReduceMessage) => void;
  readonly refuse: (worker: string, about: string, code: string, reason: string) => void;
  /** A worker has told a false sum. */
  readonly evict: (worker: string, reason: string) => void;
  readonly exchange: MergeOptions['exchange'];
  /** Whether two reduce each shard and are compared. */
  readonly double: boolean;
  /** From 0 to 1: which shards the coordinator sums itself. Nobody must foretell it. */
  readonly random?: () => number;
  /** A merge is over; what it gave is to be had from {@link Merging.take}. */
  readonly onEnd: (input: RunInput) => void;
  /** Something failed that never should. */
  readonly onFailure: (error: unknown) => void;
}

/** A round's result, and when its merge began, by `performance.now()`. */
export interface Merged extends MergedRound {
  readonly begunAt: number;
}

/** The merges of a run, one at a time. */
export class Merging {
  readonly #options: MergingOptions;
  /** Workers that did not reduce what they were asked to, and the round from which they are asked again. */
  readonly #useless = new Map<string, { readonly until: number; readonly spared: number }>();
  #current: RoundMerge | undefined;
  #begunAt = 0;
  #merged: Merged | undefined;

  constructor(options: MergingOptions) {
    this.#options = options;
  }

  /** The result of the merge that has ended. */
  get merged(): Merged {
    if (!this.#merged) throw new Error('no merge has ended');
    return this.#merged;
  }

  /** As {@link merged}, which is forgotten. */
  take(): Merged {
    const { merged } = this;
    this.#merged = undefined;
    return merged;
  }

  /** Begins a merge, in the place of another one. Asked for again, as after a lost connection, it goes on. */
  start(merge: Merge): void {
    const round = this.#roundOf(merge);
    if (this.#current?.attempt === round.attempt) return;
    this.#current?.cancel();
    this.#current = round;
    this.#begunAt = performance.now();
    void this.#finish(round, merge);
  }

  /** What a reducer says; null unless there is an objection. A merge that is over needs no more words. */
  hear(report: Extract<UpMessage, { type: 'reduced' | 'reduce-failed' }>): string | null {
    return this.#current?.hear(report) ?? null;
  }

  /** Nobody wants its outcome any more. */
  stop(): void {
    const current = this.#current;
    this.#current = undefined;
    current?.cancel();
  }

  #roundOf(merge: Merge): RoundMerge {
    const { context, keeper, blobs, shards, patience, state, send, refuse, evict } = this.#options;
    const { exchange, double, random } = this.#options;
    const fragment = fragmentOf(merge.round, context.fragments);
    return new RoundMerge({
      ...{ merge, fragment, keeper, blobs, patience, send, exchange, double },
      shards: shards[fragment]!,
      manifests: new Map(state().opening!.contributions.map(({ worker, manifest }) => [worker, manifest])),
      reducers: () => {
        const { workers } = state().rounds;
        const here = merge.contributions.flatMap(({ worker, incarnation }) => {
          if ((this.#useless.get(worker)?.until ?? 0) > merge.round) return [];
          return workers.filter((one) => one.worker === worker && one.incarnation === incarnation);
        });
        // A newcomer that sums nothing, or nonsense, would cost the round time; one of a former round has shown a little.
        const known = here.filter(({ credit }) => credit !== null);
        return (known.length > 0 ? known : here).map(({ worker }) => worker);
      },
      every: Math.min(LOOK, patience / 12),
      check: shardToCheck(shards[fragment]!, random),
      distrust: (worker, reason) => {
        refuse(worker, 'reduced', 'wrong-sum', reason);
        evict(worker, reason);
      },
      onUseless: (worker) => {
        const known = this.#useless.get(worker);
        if (known && known.until > merge.round) return;
        const spared = Math.min(MOST_SPARED, 2 * (known?.spared ?? SPARED / 2));
        this.#useless.set(worker, { until: merge.round + spared, spared });
      },
    });
  }

  async #finish(round: RoundMerge, merge: Merge): Promise<void> {
    let input: RunInput;
    try {
      // Even in the place of another by now: the keeper has moved on to it.
      const merged = await round.run();
      this.#merged = { ...merged, begunAt: this.#begunAt };
      const event = { type: 'merged', round: merge.round, hash: merged.hash } as const;
      input = { type: 'merged', event, manifest: merged.manifest };
    } catch (error) {
      if (this.#current !== round) return;
      if (!(error instanceof MeanfieldError)) return this.#options.onFailure(error);
      const workers = error instanceof MergeError ? error.workers : [];
      const event = { type: 'mergeFailed', round: merge.round, reason: messageOf(error), workers } as const;
      input = { type: 'event', event };
    }
    if (this.#current === round) this.#current = undefined;
    this.#options.onEnd(input);
  }
}
