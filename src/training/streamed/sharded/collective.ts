import type { Range } from '../../ranges.js';

/**
 * What the ranks of a training do together, by whatever carries it. All of them begin the same operations of a kind in the
 * same order; one that cannot go on ends the operations of all.
 */
export interface Collective {
  /** Of this one, from 0. */
  readonly rank: number;
  readonly ranks: number;
  /**
   * All-gather: fills a vector with the shards of all ranks.
   *
   * @param own this rank's shard, which may be a view of `whole`; it must not change until the promise resolves
   * @param shards of the vector, by rank
   * @throws MeanfieldError once a rank has failed, as all operations do
   */
  gather(own: Float32Array, shards: readonly Range[], whole: Float32Array): Promise<void>;
  /**
   * Reduce-scatter: adds all ranks' values of this rank's shard to what it has. The order of the sum depends on the shard alone,
   * so that the same values give the same bits.
   *
   * @param whole this rank's values, of all shards
   */
  reduce(whole: Float32Array, shards: readonly Range[], own: Float32Array): Promise<void>;
  /** The sums of all ranks' numbers, by their places: the same bits on all. */
  sum(numbers: readonly number[]): Promise<number[]>;
}
