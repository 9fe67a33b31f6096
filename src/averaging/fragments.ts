import type { ParameterLayout } from '../model/layout.js';
import { cutShards, type Shard } from './shards.js';

/** Elements of a shard, about: smaller ones cost more in messages than they bring. */
const SHARD = 2 ** 18;
const LEAST_SHARDS = 4;
const MOST_SHARDS = 256;

/** A range of the model's vector that a round exchanges, and its parts, each of which one machine reduces. */
export interface Fragment extends Shard {
  readonly shards: readonly Shard[];
}

/** Which fragment a round exchanges: each in its turn. */
export function fragmentOf(round: number, fragments: number): number {
  return (round - 1) % fragments;
}

/**
 * Cuts the model's vector into fragments at parameters' ends, nearest to equal sizes, and each fragment into shards. The
 * same on every machine, for it follows from the layout alone.
 *
 * @param fragments at least 1; fewer come out where there are not so many parameters
 */
export function cutFragments(layout: Pick<ParameterLayout, 'entries' | 'size'>, fragments: number): Fragment[] {
  const ends = layout.entries.map(({ offset, size }) => offset + size);
  const cuts = Array.from({ length: fragments - 1 }, (_, i) => {
    const wanted = ((i + 1) * layout.size) / fragments;
    return ends.reduce((best, end) => (Math.abs(end - wanted) < Math.abs(best - wanted) ? end : best));
  });
  const bounds = [...new Set([0, ...cuts, layout.size])];
  return bounds.slice(1).map((end, i) => {
    const start = bounds[i]!;
    const count = Math.min(MOST_SHARDS, Math.max(LEAST_SHARDS, Math.ceil((end - start) / SHARD)), end - start);
    return {
      start,
      end,
      shards: cutShards(end - start, count).map((shard) => ({ start: start + shard.start, end: start + shard.end })),
    };
  });
}
