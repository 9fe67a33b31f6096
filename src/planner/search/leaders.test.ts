import { expect, test } from 'vitest';
import type { Arrangement, StepPrediction } from '../types.js';
import { Leaders } from './leaders.js';
import type { Candidate } from './types.js';

function candidate(data: number, total: number, memory = 1, change: Partial<Arrangement> = {}): Candidate {
  const plain = { data, tensor: 1, pipeline: 1, context: 1, expert: 1, zero: 0, offload: 'none' };
  return {
    arrangement: { ...plain, ...change } as Arrangement,
    prediction: { fits: memory <= 10, memory: { total: memory, available: 10 }, time: { total } } as StepPrediction,
  };
}

test('keeps the best of each grid, fastest first, and six of them', () => {
  const leaders = new Leaders();
  const times = [9, 3, 5, 1, 8, 2, 7, 6];
  for (const [i, total] of times.entries()) leaders.rank(candidate(i + 1, total));
  leaders.rank(candidate(2, 4));
  leaders.rank(candidate(3, 0.5));
  expect(leaders.grids.map(({ prediction }) => prediction.time.total)).toEqual([0.5, 1, 2, 3, 6, 7]);
  expect(leaders.seconds).toBe(7);
});

test('orders strategies by time, then by how little they miss', () => {
  const leaders = new Leaders();
  const offered = [
    candidate(2, 5, 30),
    candidate(2, 4, 20),
    candidate(2, 9, 12, { zero: 3 }),
    candidate(2, 9, 1, { tensor: 2 }),
    candidate(2, 7, 1, { tensor: 4 }),
    candidate(2, 3, 1, { pipeline: 2 }),
  ];
  for (const each of offered) leaders.of(each.arrangement).offer(each);
  expect(leaders.strategies().map(({ strategy, arrangement }) => [strategy, arrangement.tensor])).toEqual([
    ['pipeline', 1],
    ['tensor', 4],
    ['ZeRO-3', 1],
    ['data parallel', 1],
  ]);
  expect(leaders.strategies().at(-1)!.prediction.memory.total).toBe(20);
});

test('tells of offloading only where it gains or nothing fits without', () => {
  const leaders = new Leaders();
  const offload = 'optimizer' as const;
  const offered = [
    candidate(2, 5),
    candidate(2, 6, 1, { offload }),
    candidate(2, 9, 1, { tensor: 2 }),
    candidate(2, 8, 1, { tensor: 2, offload }),
    candidate(2, 3, 30, { zero: 1 }),
    candidate(2, 7, 1, { zero: 1, offload }),
    candidate(2, 7, 40, { zero: 2 }),
    candidate(2, 7, 30, { zero: 2, offload }),
  ];
  for (const each of offered) {
    leaders.of({ ...each.arrangement, offload: 'none' });
    leaders.of(each.arrangement).offer(each);
  }
  const told = leaders.strategies().map(({ strategy, prediction }) => `${strategy}: ${prediction.time.total}`);
  expect(told).toEqual([
    'data parallel: 5',
    'ZeRO-1, offload: 7',
    'tensor, offload: 8',
    'tensor: 9',
    'ZeRO-1: 3',
    'ZeRO-2: 7',
  ]);
});
