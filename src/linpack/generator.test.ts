import { expect, it } from 'vitest';
import { fillColumns } from './generator.js';

/** The generator by its definition: X(0) = 100, X(n + 1) = a X(n) + 1 mod 2^64, 0.5 − X / 2^64. */
function byDefinition(count: number): number[] {
  let x = 100n;
  return Array.from({ length: count }, () => {
    const value = 0.5 - (Number(x & 0xffff_ffffn) / 2 ** 32 + Number(x >> 32n)) / 2 ** 32;
    x = (x * 6364136223846793005n + 1n) & 0xffff_ffff_ffff_ffffn;
    return value;
  });
}

it('gives the entries column by column, from any column on', () => {
  const [n, columns] = [13, 14];
  const expected = byDefinition(n * columns);
  const whole = new Float64Array(n * columns);
  fillColumns(whole, n, columns, 0);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < columns; j++) expect(whole[i * columns + j]).toBe(expected[j * n + i]);
  const part = new Float64Array(n * 3);
  fillColumns(part, n, 3, 9);
  for (let i = 0; i < n; i++) for (let j = 0; j < 3; j++) expect(part[i * 3 + j]).toBe(expected[(9 + j) * n + i]);
});
