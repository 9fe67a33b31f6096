import { expect, it } from 'vitest';
import { cutRanges, RANGE } from './ranges.js';

it('cuts into whole ranges and a rest', () => {
  expect([...cutRanges(5, 2 * RANGE + 6)]).toEqual([
    { start: 5, end: RANGE + 5 },
    { start: RANGE + 5, end: 2 * RANGE + 5 },
    { start: 2 * RANGE + 5, end: 2 * RANGE + 6 },
  ]);
  expect([...cutRanges(3, 3)]).toEqual([]);
});
