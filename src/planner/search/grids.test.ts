import { describe, expect, test } from 'vitest';
import { gridsOf, stageCounts, tensorSplits } from './grids.js';
import { cluster, fixed, workload } from './search.test-support.js';

describe('tensor splits', () => {
  test('divide the heads and stay in a node', () => {
    expect(tensorSplits(workload, cluster)).toEqual([1, 2, 4]);
    expect(tensorSplits(workload, { ...cluster, perNode: 24, accelerators: 48 })).toEqual([1, 2, 3, 4, 6, 12]);
  });

  test('copy or share key-value heads, never cut one unevenly', () => {
    expect(tensorSplits({ ...workload, keyValueHeads: 2 }, { ...cluster, perNode: 12 })).toEqual([1, 2, 4, 6, 12]);
  });

  test('divide the inner width, too', () => {
    expect(tensorSplits({ ...workload, feedForward: 3070 }, cluster)).toEqual([1, 2]);
  });
});

test('grids fit on the cluster and divide layers and batch', () => {
  const grids = gridsOf(workload, cluster, fixed);
  const size = grids.map(({ data, tensor, pipeline, context }) => data * tensor * pipeline * context);
  expect(Math.max(...size)).toBe(16);
  expect(grids).toContainEqual({ data: 2, tensor: 2, pipeline: 4, context: 1, expert: 1 });
  expect(grids.every(({ data, pipeline }) => 24 % data === 0 && 12 % pipeline === 0)).toBe(true);
  expect(new Set(grids.map((grid) => JSON.stringify(grid))).size).toBe(grids.length);
});

test('stages hold equally many layers, or the last fewer and none nothing', () => {
  expect(stageCounts(13, false)).toEqual([1, 13]);
  expect(stageCounts(13, true)).toEqual([1, 2, 3, 4, 5, 7, 13]);
  for (const count of stageCounts(78, true)) {
    const held = Math.ceil(78 / count);
    expect(78 - held * (count - 1)).toBeGreaterThan(0);
  }
  expect(stageCounts(78, true)).toEqual(expect.arrayContaining(stageCounts(78, false)));
  const pipelines = gridsOf({ ...workload, layers: 13 }, cluster, fixed, true).map(({ pipeline }) => pipeline);
  expect(new Set(pipelines)).toEqual(new Set([1, 2, 3, 4, 5, 7, 13]));
});

test('only long sequences are shared between devices', () => {
  const contexts = (sequence: number) =>
    new Set(gridsOf(workload, cluster, { ...fixed, sequence }).map(({ context }) => context));
  expect(contexts(4096)).toEqual(new Set([1]));
  expect(contexts(32_768)).toEqual(new Set([1, 2, 4, 8, 16]));
});
