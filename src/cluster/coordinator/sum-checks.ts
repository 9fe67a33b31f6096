import { randomInt } from 'node:crypto';
import { exceedsNorm } from '../../averaging/merge-norm.js';
import { sha256 } from '../../base/hash.js';
import type { ReduceMessage } from '../protocol/down.js';
import type { Assignment } from './assignment.js';
import { MergeError, type OwnSums, type StoredSum } from './own-sums.js';

/** Share of the shards that the coordinator sums itself: what a check costs in bytes and time. */
const CHECKED = 0.01;

/** By how much sums of squares differ between machines, at most: their order is the machine's own. */
const SQUARES_DIFFER = 1e-3;

/** From 0 up to, not including, 1; nobody can foretell it from those before. */
function unforeseeable(): number {
  return randomInt(2 ** 47) / 2 ** 47;
}

/** One of the shards, or none: a hundredth of them on average, at most one in a round, and nobody can tell which. */
export function shardToCheck(shards: number, random: () => number = unforeseeable): number | null {
  return random() < CHECKED * shards ? Math.floor(random() * shards) : null;
}

/** What {@link SumChecks} look at. */
export interface SumChecksOptions {
  readonly shards: number;
  readonly assignment: Assignment<StoredSum>;
  readonly own: OwnSums;
  readonly contributions: ReduceMessage['contributions'];
  /** Whether what rounding a contribution lost is sent with the next one. */
  readonly feedback: boolean;
  /** A reducer's sum is another than the coordinator's: it has no place in the run. */
  readonly distrust: (worker: string, reason: string) => void;
}

/** A sum that the coordinator made to compare another's with. */
interface CheckedSum {
  readonly shard: number;
  /** sha256. */
  readonly hash: string;
  readonly squares: readonly number[];
}

/** Whether a merge's sums are what reducers say they are. */
export class SumChecks {
  readonly #false = new Set<string>();
  #settled = false;

  constructor(private readonly options: SumChecksOptions) {}

  /** Who has told a false sum. */
  isFalse(worker: string): boolean {
    return this.#false.has(worker);
  }

  /** Whether all sums are the coordinator's own. */
  get settled(): boolean {
    return this.#settled;
  }

  /** The coordinator's own sum of the shard that is to be checked; undefined where there is none or it cannot be had. */
  async sumOf(shard: number | null): Promise<CheckedSum | undefined> {
    if (shard === null) return undefined;
    try {
      const { merged, squares } = await this.options.own.of(shard);
      return { shard, hash: sha256(merged), squares };
    } catch {
      // A contribution that cannot be used: whoever reduces it says so.
      return undefined;
    }
  }

  /**
   * Sums have the same bits wherever they are made: of a reducer whose sum has others, nothing is used. What two do not
   * agree on, and contributions that come to more than was told, the coordinator looks at itself.
   *
   * @returns whether all shards have a sum that can be used
   * @throws MergeError naming whose contribution cannot be used
   */
  async areTrue(checked: CheckedSum | undefined): Promise<boolean> {
    const { shards, assignment } = this.options;
    if (checked && !this.#unmask(checked)) return false;
    const disputed = Array.from({ length: shards }, (_, shard) => shard).filter((shard) => {
      const [first, ...others] = assignment.at(shard).map(({ result }) => result!);
      return others.some(({ ref, squares }) => ref.hash !== first!.ref.hash || differ(squares, first!.squares));
    });
    for (const shard of disputed) await this.settle(shard);
    if (this.#isExcessive() === null) return assignment.complete;
    if (!this.#settled) await this.settleAll();
    const worker = this.#isExcessive();
    if (worker !== null)
      throw new MergeError('the squares of its shards add up to more than the norm that it told', [worker]);
    return true;
  }

  /** Puts the coordinator's own sum in the place of the reducers', and finds out whose was another. */
  async settle(shard: number): Promise<void> {
    const { own, assignment } = this.options;
    const sum = await own.stored(shard);
    this.#unmask({ shard, hash: sum.ref.hash, squares: sum.squares });
    assignment.settle(shard, sum);
  }

  async settleAll(): Promise<void> {
    this.#settled = true;
    for (let shard = 0; shard < this.options.shards; shard++) await this.settle(shard);
  }

  #unmask({ shard, hash, squares }: CheckedSum): boolean {
    const { assignment, distrust } = this.options;
    let sound = true;
    for (const { reducer, result } of [...assignment.at(shard)]) {
      if (reducer === null || !result || (result.ref.hash === hash && !differ(result.squares, squares))) continue;
      sound = false;
      this.#false.add(reducer);
      distrust(reducer, `its sum of shard ${shard} is not that of the contributions`);
      assignment.takeFrom(reducer, performance.now());
    }
    return sound;
  }

  /** Whose squares add up to more than the norm by which outliers were looked for. */
  #isExcessive(): string | null {
    const { assignment, contributions, feedback } = this.options;
    if (!assignment.complete) return null;
    const { results } = assignment;
    for (const [i, { worker, norm }] of contributions.entries()) {
      const squares = results.reduce((sum, one) => sum + one.squares[i]!, 0);
      if (exceedsNorm(norm, squares, feedback)) return worker;
    }
    return null;
  }
}

function differ(a: readonly number[], b: readonly number[]): boolean {
  return a.some((value, i) => Math.abs(value - b[i]!) > SQUARES_DIFFER * Math.max(value, b[i]!) + 1e-30);
}
