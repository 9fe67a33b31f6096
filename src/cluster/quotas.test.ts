import { expect, it } from 'vitest';
import { MOST_RESULTS, RESULTS_TO_SNAPSHOT, runQuota, workerQuota } from './quotas.js';

/** 10 million parameters in 40 shards. */
const length = 10_000_000;
const shards = (bytes: number) => [Array.from({ length: 40 }, () => (bytes * length) / 40)];

it.each([
  ['fp32', 4],
  ['int8', 1.01],
  ['int4', 0.52],
])('is enough at %s for whoever sums every shard, and for the coordinator that does so itself', (_, bytes) => {
  const sizes = { parts: shards(bytes), vectors: 2, length };
  const result = bytes * length;
  const snapshot = 8 * length;
  // As many rounds as there are between two snapshots, twice, and two rounds that were given up.
  const between = Math.min(MOST_RESULTS, Math.ceil((RESULTS_TO_SNAPSHOT * snapshot) / result));
  const used = (2 * between + 2) * result + 3 * result;
  const quota = workerQuota(sizes);
  expect(quota).toBeGreaterThan(used);
  expect(quota).toBeLessThan(1.7 * used);
  const own = (2 * between + 2) * result + 3 * snapshot + 5e6;
  expect(runQuota(sizes, 5e6)).toBeGreaterThan(own);
});

it('goes by the largest fragment, and is a few megabytes for a tiny model', () => {
  const [whole] = shards(4);
  const parts = [whole!.slice(0, 10), whole!.slice(10)];
  const fragments = workerQuota({ parts, vectors: 1, length });
  expect(fragments).toBe(workerQuota({ parts: [parts[1]!], vectors: 1, length }));
  expect(fragments).toBeLessThan(workerQuota({ parts: shards(4), vectors: 1, length }));
  expect(workerQuota({ parts: [[100, 100]], vectors: 1, length: 50 })).toBeLessThan(2e6);
});
