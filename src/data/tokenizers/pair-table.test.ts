import { expect, it } from 'vitest';
import { PairTable } from './pair-table.js';

it('numbers pairs in the order in which they come', () => {
  const table = new PairTable();
  expect([table.add(3, 4), table.add(4, 3), table.add(3, 4)]).toEqual([0, 1, 0]);
  expect([table.get(4, 3), table.get(9, 9), table.left(1), table.right(1), table.size]).toEqual([1, -1, 4, 3, 2]);
});

it('keeps many pairs apart', () => {
  const table = new PairTable();
  for (let i = 0; i < 300; i++) for (let j = 0; j < 100; j++) expect(table.add(i * 7919, j)).toBe(i * 100 + j);
  for (let i = 0; i < 300; i += 7) for (let j = 0; j < 100; j++) expect(table.get(i * 7919, j)).toBe(i * 100 + j);
  expect(table.get(1, 1)).toBe(-1);
});
