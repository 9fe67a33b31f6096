import { encodedBytes } from '../averaging/formats/index.js';
import type { Fragment } from '../averaging/fragments.js';
import type { RunSetup } from './protocol/configuration.js';

/** Bytes of each part of a contribution or a result, by fragment and shard: they follow from the layout alone. */
export function partSizes(
  fragments: readonly Fragment[],
  { cluster, averageMoments }: Pick<RunSetup, 'cluster' | 'averageMoments'>,
): number[][] {
  return fragments.map(({ shards }) =>
    shards.map(({ start, end }) => {
      const moments = averageMoments ? 2 * encodedBytes(cluster.momentsFormat, end - start) : 0;
      return encodedBytes(cluster.format, end - start) + moments;
    }),
  );
}
