import { expect, it } from 'vitest';
import { countOf, joined, sorted, takeFirst, within } from './ranges.js';

const ranges = [
  { start: 10, end: 12 },
  { start: 3, end: 7 },
  { start: 12, end: 15 },
];

it('counts, joins and sorts', () => {
  expect([countOf(ranges), countOf([])]).toEqual([9, 0]);
  expect(joined(ranges)).toEqual(ranges);
  expect(sorted(ranges)).toEqual([
    { start: 3, end: 7 },
    { start: 10, end: 15 },
  ]);
  expect(joined([ranges[0]!, ranges[2]!, ranges[1]!])).toEqual([{ start: 10, end: 15 }, ranges[1]]);
});

it('takes the first of several ranges, whole ones and parts', () => {
  expect(takeFirst(ranges, 3)).toEqual({
    taken: [
      { start: 10, end: 12 },
      { start: 3, end: 4 },
    ],
    rest: [
      { start: 4, end: 7 },
      { start: 12, end: 15 },
    ],
  });
  expect(takeFirst(ranges, 0)).toEqual({ taken: [], rest: ranges });
  expect(takeFirst(ranges, 99)).toEqual({ taken: ranges, rest: [] });
});

it('cuts out what lies within bounds', () => {
  expect(within(ranges, 5, 13)).toEqual([
    { start: 10, end: 12 },
    { start: 5, end: 7 },
    { start: 12, end: 13 },
  ]);
  expect(within(ranges, 7, 10)).toEqual([]);
});
