import { expect, test } from 'vitest';
import { table } from './text-table.js';

test('columns are as wide as their widest cell', () => {
  const rows = [
    ['device', 'GFLOP/s'],
    ['cpu', '9'],
  ];
  expect(table(rows, [1])).toBe('device  GFLOP/s\ncpu           9\n');
  expect(table(rows)).toBe('device  GFLOP/s\ncpu     9\n');
});
