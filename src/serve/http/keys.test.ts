import { timingSafeEqual } from 'node:crypto';
import { beforeEach, expect, it, vi } from 'vitest';
import { ApiKeys } from './keys.js';

vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>();
  return { ...crypto, timingSafeEqual: vi.fn(crypto.timingSafeEqual) };
});

beforeEach(() => {
  vi.mocked(timingSafeEqual).mockClear();
});

it.each([
  ['Bearer first', 0],
  ['Bearer second', 1],
  ['bearer  third ', 2],
  ['Bearer firs', undefined],
  ['Bearer first second', undefined],
  [`Bearer ${'a'.repeat(30_000)}`, undefined],
  ['Bearer ', undefined],
  ['', undefined],
  [undefined, undefined],
])('header %# shows the key that it shows', (header, number) => {
  expect(new ApiKeys(['first', 'second', 'third']).numberOf(header)).toBe(number);
  // Whatever is shown, every key is compared, in a time that does not depend on where two differ, and as long as any other.
  const { calls } = vi.mocked(timingSafeEqual).mock;
  expect(calls).toHaveLength(3);
  for (const [one, other] of calls) expect([one.byteLength, other.byteLength]).toEqual([32, 32]);
});
