import type { Engine, SessionOptions } from '../engine/engine.js';
import { Sessions } from '../engine/sessions.js';
import { add, input, maximum, minimum, mul } from '../graph/index.js';
import { cutRanges } from '../training/ranges.js';
import type { MergeMethod } from './choices.js';
import { sortingNetwork } from './merge-network.js';

/** The share of contributions that `trimmed` leaves out on each side. */
const TRIM = 0.2;
/** Elements of one run: two of a comparator's operands and results stay in a core's cache. */
const LENGTH = 2 ** 16;
/** Contributions that one run adds. */
const TERMS = 4;

/** Merges contributions to a range of the vector, any number of them. Sums run in their order: the same bits everywhere. */
export class MergeProgram {
  readonly #method: MergeMethod;
  readonly #sessions: Sessions;

  constructor(engine: Engine, method: MergeMethod, compile: SessionOptions = {}) {
    this.#method = method;
    this.#sessions = new Sessions(engine, compile);
  }

  /**
   * @param contributions at least one, each as long as `into`; finite
   * @param weights of `mean`: one a contribution, of sum 1
   * @param into not one of the contributions
   */
  async merge(contributions: readonly Float32Array[], weights: readonly number[], into: Float32Array): Promise<void> {
    const n = contributions.length;
    if (n === 0) throw new Error('nothing to merge');
    const [from, to] = keptPlaces(this.#method, n);
    const places = Array.from({ length: to - from }, (_, i) => from + i);
    const network = this.#method === 'mean' ? [] : sortingNetwork(n, places);
    for (const { start, end } of cutRanges(0, into.length, LENGTH)) {
      const parts = contributions.map((vector) => vector.subarray(start, end));
      const result = into.subarray(start, end);
      if (this.#method === 'mean') {
        await this.#sum(parts, weights, result);
      } else {
        const sorted = await this.#sort(parts, network);
        const kept = places.map((place) => sorted[place]!);
        await this.#sum(kept, Array(kept.length).fill(1 / kept.length), result);
      }
    }
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }

  /** ((w₀x₀ + w₁x₁) + w₂x₂) + …, some terms a run. */
  async #sum(terms: readonly Float32Array[], weights: readonly number[], into: Float32Array): Promise<void> {
    const size = into.length;
    for (let first = 0; first < terms.length; first += TERMS) {
      const some = terms.slice(first, first + TERMS);
      const goesOn = first > 0;
      const session = await this.#sessions.get(`sum ${some.length} ${goesOn} ${size}`, () =>
        traceSum(some.length, goesOn, size),
      );
      const feeds = some.flatMap((term, i) => [
        [`term${i}`, term],
        [`weight${i}`, Float32Array.of(weights[first + i]!)],
      ]);
      // In place: the sum so far is read by one node, on the way to the sum.
      await session.run({ ...Object.fromEntries(feeds), ...(goesOn && { sum: into }) }, { sum_out: into });
    }
  }

  /** The contributions' values sorted at each place; those in between are undefined where the network leaves them out. */
  async #sort(parts: readonly Float32Array[], network: readonly (readonly [number, number])[]) {
    const at = [...parts];
    const size = parts[0]!.length;
    const session = await this.#sessions.get(`compare ${size}`, () => traceCompare(size));
    // Results must not overlap operands; what an earlier comparator gave and nobody holds any more is used again.
    const own = new Set<Float32Array>();
    const spare: Float32Array[] = [];
    const take = () => {
      const array = spare.pop() ?? new Float32Array(size);
      own.add(array);
      return array;
    };
    for (const [i, j] of network) {
      const [a, b] = [at[i]!, at[j]!];
      const [least, greatest] = [take(), take()];
      await session.run({ a, b }, { least, greatest });
      for (const array of [a, b]) if (own.has(array)) spare.push(array);
      at[i] = least;
      at[j] = greatest;
    }
    return at;
  }
}

/** Which places of the sorted contributions count: from the first up to, not including, the second. */
export function keptPlaces(method: MergeMethod, n: number): [number, number] {
  if (method === 'mean') return [0, n];
  const left = method === 'median' ? Math.floor((n - 1) / 2) : n < 3 ? 0 : Math.max(1, Math.floor(TRIM * n));
  return [left, n - left];
}

function traceSum(terms: number, goesOn: boolean, size: number) {
  const products = Array.from({ length: terms }, (_, i) => mul(input(`term${i}`, [size]), input(`weight${i}`, [])));
  return { sum_out: (goesOn ? [input('sum', [size]), ...products] : products).reduce(add) };
}

function traceCompare(size: number) {
  const [a, b] = [input('a', [size]), input('b', [size])];
  return { least: minimum(a, b), greatest: maximum(a, b) };
}
