import { describe, expect, test } from 'vitest';
import { offloads, schedulesOf, zeroStages } from './choices.js';
import { cluster, fixed } from './search.test-support.js';

const grid = { data: 2, context: 1, tensor: 1, pipeline: 1, expert: 1 };

describe('schedules', () => {
  test('without a pipeline: the divisors of a rank, up to 64', () => {
    const sizes = schedulesOf(grid, 12, { ...fixed, globalBatch: 256 }).map(({ microBatch }) => microBatch);
    expect(sizes).toEqual([1, 2, 4, 8, 16, 32, 64]);
  });

  test('stages interleave where micro-batches are a multiple of them', () => {
    const schedules = schedulesOf({ ...grid, data: 4, pipeline: 3 }, 12, fixed);
    expect(schedules).toEqual([
      { microBatch: 1, interleave: 1 },
      { microBatch: 1, interleave: 2 },
      { microBatch: 1, interleave: 4 },
      { microBatch: 2, interleave: 1 },
      { microBatch: 2, interleave: 2 },
      { microBatch: 2, interleave: 4 },
      { microBatch: 3, interleave: 1 },
      { microBatch: 6, interleave: 1 },
    ]);
  });

  test('a choice of the user that does not divide leaves none', () => {
    expect(schedulesOf(grid, 12, { ...fixed, microBatch: 5 })).toEqual([]);
    expect(schedulesOf({ ...grid, pipeline: 3 }, 12, { ...fixed, microBatch: 4, interleave: 2 })).toEqual([
      { microBatch: 4, interleave: 2 },
    ]);
  });
});

test('ZeRO needs ranks, and its later stages no pipeline', () => {
  expect(zeroStages(grid, fixed)).toEqual([0, 1, 2, 3]);
  expect(zeroStages({ ...grid, data: 1 }, fixed)).toEqual([0]);
  expect(zeroStages({ ...grid, pipeline: 2 }, fixed)).toEqual([0, 1]);
  expect(zeroStages({ ...grid, pipeline: 2 }, fixed, true)).toEqual([0, 1, 3]);
  expect(zeroStages(grid, { ...fixed, zero: 2 })).toEqual([2]);
});

test('offloads reach disks only where there are any', () => {
  const withoutDisks = { ...cluster, host: { ...cluster.host, diskBandwidth: null } };
  expect(offloads(cluster, fixed)).toHaveLength(5);
  expect(offloads(withoutDisks, fixed).every(({ offloadTo }) => offloadTo === 'host')).toBe(true);
  expect(offloads(cluster, { ...fixed, offload: 'none' })).toEqual([{ offload: 'none', offloadTo: 'host' }]);
  expect(offloads(cluster, { ...fixed, offloadTo: 'disk' })).toHaveLength(3);
});
