import type { Merge } from '../events.js';
import type { FromSimulated, SimulatedMessage } from './cargo.js';
import { sumShard, type Weighed } from './model.js';

/** Virtual milliseconds after which a reducer is asked again, and after which the coordinator does its work. */
const AGAIN = 100;
const PATIENCE = 400;

type Sum = Extract<FromSimulated, { readonly type: 'sum' }>;

/** What a simulated merge needs. */
export interface SimulatedMergeOptions {
  readonly merge: Merge;
  readonly values: readonly Weighed[];
  readonly shards: number;
  /** Of the contributors, who can sum. */
  readonly reducers: readonly string[];
  readonly send: (worker: string, message: Extract<SimulatedMessage, { readonly type: 'reduce' }>) => void;
  readonly after: (delay: number, run: () => void) => void;
  /** By shard. */
  readonly done: (sums: readonly number[]) => void;
  /** A reducer's sum is not that of these contributions. */
  readonly onFalse: (sum: Sum, expected: number) => void;
}

/** One merge: contributors sum the shards, are asked again, and what they do not deliver the coordinator does itself. */
export class SimulatedMerge {
  readonly #options: SimulatedMergeOptions;
  readonly #attempt: string;
  readonly #sums: (number | null)[];
  /** Who is to sum a shard; `undefined`: the coordinator. */
  readonly #owing: (string | undefined)[];
  #done = false;

  constructor(options: SimulatedMergeOptions) {
    this.#options = options;
    const { merge, shards, reducers, after } = options;
    // Results of one attempt never mix with those of another, of other contributions.
    this.#attempt = merge.contributions.map(({ contentHash }) => contentHash).join();
    this.#sums = Array.from({ length: Math.max(1, shards) }, () => null);
    this.#owing = this.#sums.map((_, shard) => (shards > 0 ? reducers[shard % reducers.length] : undefined));
    this.#ask();
    after(PATIENCE, () => {
      this.#owing.fill(undefined);
      this.#sumOwn();
    });
    this.#sumOwn();
  }

  hear(sum: Sum): void {
    const { round, attempt, shard, value, worker } = sum;
    if (round !== this.#options.merge.round || attempt !== this.#attempt || this.#owing[shard] !== worker) return;
    if (this.#sums[shard] !== null) return;
    if (value === null) this.#owing[shard] = undefined;
    else {
      const expected = sumShard(this.#options.values, shard);
      if (value !== expected) this.#options.onFalse(sum, expected);
      this.#sums[shard] = value;
    }
    this.#sumOwn();
  }

  #ask(): void {
    const { merge, after, send } = this.#options;
    const owed = new Map<string, number[]>();
    for (const [shard, worker] of this.#owing.entries())
      if (worker !== undefined && this.#sums[shard] === null) owed.set(worker, [...(owed.get(worker) ?? []), shard]);
    if (owed.size === 0) return;
    const { round, contributions } = merge;
    for (const [worker, shards] of owed)
      send(worker, { type: 'reduce', round, attempt: this.#attempt, shards, contributions });
    after(AGAIN, () => this.#ask());
  }

  /** What nobody else is to do; then, perhaps, all is there. */
  #sumOwn(): void {
    const { values, done } = this.#options;
    for (const [shard, worker] of this.#owing.entries())
      if (worker === undefined) this.#sums[shard] ??= sumShard(values, shard);
    if (this.#done || this.#sums.some((sum) => sum === null)) return;
    this.#done = true;
    done(this.#sums as number[]);
  }
}
