import fc from 'fast-check';
import { expect, it } from 'vitest';
import { packRows } from './pack.js';

it('puts every row into one window, none beyond its places, and the same each time', () => {
  const sizes = fc.array(fc.integer({ min: 2, max: 40 }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 30 }), fc.nat(), (lengths, places, seed) => {
      const rows = { length: lengths.length, sizeOf: (i: number) => lengths[i]! };
      const windows = packRows(rows, places, seed);
      expect(windows.flatMap((window) => [...window]).sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
      for (const window of windows) {
        const taken = [...window].reduce((sum, row) => sum + Math.min(places, lengths[row]! - 1), 0);
        expect(taken).toBeLessThanOrEqual(places);
      }
      expect(packRows(rows, places, seed)).toEqual(windows);
    }),
  );
});

it('fills windows well', () => {
  const rows = { length: 2000, sizeOf: (i: number) => 2 + ((i * 7919) % 60) };
  const windows = packRows(rows, 128, 1);
  const needed = Array.from({ length: 2000 }, (_, i) => rows.sizeOf(i) - 1).reduce((a, b) => a + b) / 128;
  expect(windows.length / needed).toBeLessThan(1.03);
});
