import { encodedBytes } from '../averaging/formats/index.js';
import type { Fragment } from '../averaging/fragments.js';
import type { Configuration, RunSetup } from './protocol/configuration.js';

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

/** How many committed vectors the machines of a run agree on. */
export function vectorsOf({ setup }: Pick<Configuration, 'setup'>): number {
  return 1 + (setup.outer.method === 'nesterov' ? 1 : 0) + (setup.averageMoments ? 2 : 0);
}
