import { expect, it } from 'vitest';
import { cutFragments, fragmentOf } from './fragments.js';

const layout = (...sizes: number[]) => {
  let offset = 0;
  const entries = sizes.map((size, i) => {
    offset += size;
    return { name: `p${i}`, shape: [size], size, offset: offset - size, initialization: { fill: 0 } };
  });
  return { entries, size: offset };
};

it('cuts at ends of parameters, nearest to equal sizes, and covers the vector', () => {
  const fragments = cutFragments(layout(40, 10, 35, 15), 2);
  expect(fragments.map(({ start, end }) => [start, end])).toEqual([
    [0, 50],
    [50, 100],
  ]);
  expect(fragments[0]!.shards).toHaveLength(4);
  expect(fragments[1]!.shards.at(0)!.start).toBe(50);
  expect(fragments[1]!.shards.at(-1)!.end).toBe(100);
  expect(cutFragments(layout(100), 8)).toHaveLength(1);
  expect(cutFragments(layout(2), 1)[0]!.shards).toEqual([
    { start: 0, end: 1 },
    { start: 1, end: 2 },
  ]);
});

it('makes larger vectors of more shards, 256 at most', () => {
  expect(cutFragments(layout(4_200_000), 1)[0]!.shards).toHaveLength(17);
  expect(cutFragments(layout(124_000_000), 1)[0]!.shards).toHaveLength(256);
});

it('takes fragments in turn', () => {
  expect([1, 2, 3, 4].map((round) => fragmentOf(round, 3))).toEqual([0, 1, 2, 0]);
});
