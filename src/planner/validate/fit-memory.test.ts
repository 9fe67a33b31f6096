import { expect, it } from 'vitest';
import { shippedConstants } from '../catalogue/constants.js';
import { fitMemory, leaveMemoryOut } from './fit-memory.js';
import { predictRow } from './row.js';
import { cellsOf } from './rows.test-support.js';

const peakOf = (change: Record<string, string>, memory: typeof shippedConstants.memory): string =>
  String(predictRow(cellsOf({ ...change, peak_mem_GB: '10' }), { ...shippedConstants, memory }).memory!.predicted);

it('finds the constants that peaks were made with, and predicts a source by the others', () => {
  const memory = { contextBytes: 1.5e9, fragmentation: 0.1 };
  const rows = ['1', '2', '4', '8'].map((micro_batch, i) => {
    const change = { micro_batch, recompute: 'none', source: i % 2 ? 'odd' : 'even' };
    return cellsOf({ ...change, peak_mem_GB: peakOf(change, memory) });
  });
  expect(fitMemory(rows, shippedConstants)).toEqual(memory);
  const left = leaveMemoryOut(rows, shippedConstants);
  expect(left.map(({ source, rows: n }) => [source, n])).toEqual([
    ['even', 2],
    ['odd', 2],
  ]);
  for (const { error } of left) expect(error).toBeLessThan(1e-3);
  expect(fitMemory([], shippedConstants)).toBe(shippedConstants.memory);
});
