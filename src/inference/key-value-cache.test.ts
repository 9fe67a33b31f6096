import { describe, expect, it } from 'vitest';
import { KeyValueCache } from './key-value-cache.js';

const masked = Math.fround(-1e9);

const cacheOf = (layers: number, row: number, context: number, windows: readonly number[] = []) =>
  new KeyValueCache(layers, { row, windows, whole: true }, context);

/** Rows that tell the layer, and whether they are keys or values. */
function outputs(layers: number, row: number, tokens: number, from: number) {
  const rows = (sign: number, layer: number) =>
    Float32Array.from({ length: tokens * row }, (_, i) => sign * (100 * layer + from + Math.floor(i / row)));
  return Object.fromEntries(
    Array.from({ length: layers }, (_, i) => [
      [`new_keys.${i}`, rows(1, i)],
      [`new_values.${i}`, rows(-1, i)],
    ]).flat(),
  ) as Record<string, Float32Array>;
}

describe('KeyValueCache', () => {
  it('appends rows of each layer and opens their slots', () => {
    const cache = cacheOf(2, 3, 1000);
    cache.append(outputs(2, 3, 2, 1), 2);
    // Of four rows only the first is a true token.
    cache.append(outputs(2, 3, 4, 3), 1);
    expect([cache.length, cache.slots]).toEqual([3, 64]);
    const feeds = cache.feeds(1);
    expect([...feeds.mask!.subarray(0, 5)]).toEqual([0, 0, 0, masked, masked]);
    expect([...feeds['keys.1']!.subarray(0, 10)]).toEqual([101, 101, 101, 102, 102, 102, 103, 103, 103, 0]);
    expect([...feeds['values.0']!.subarray(0, 9)]).toEqual([-1, -1, -1, -2, -2, -2, -3, -3, -3]);
  });

  it('doubles its slots up to the context and keeps what it holds', () => {
    const cache = cacheOf(1, 1, 200);
    const sizes: number[] = [];
    for (let i = 0; i < 200; i++) {
      cache.append(outputs(1, 1, 1, i), 1);
      if (sizes.at(-1) !== cache.slots) sizes.push(cache.slots);
    }
    expect(sizes).toEqual([64, 128, 200]);
    expect([...cache.feeds(1)['keys.0']!]).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(cache.feeds(1).mask!.every((value) => value === 0)).toBe(true);
    expect(() => cache.append(outputs(1, 1, 1, 0), 1)).toThrow('a cache of 200 tokens cannot hold 201');
  });

  it('is no larger than the context', () => {
    expect(cacheOf(1, 1, 5).slots).toBe(5);
  });

  it('closes all slots when cleared', () => {
    const cache = cacheOf(1, 1, 64);
    cache.append(outputs(1, 1, 5, 0), 5);
    cache.clear();
    expect(cache.length).toBe(0);
    expect(cache.feeds(1).mask!.every((value) => value === masked)).toBe(true);
  });

  it('shuts slots that are too far behind each new token, and nothing else', () => {
    const cache = cacheOf(1, 1, 64, [3]);
    cache.append(outputs(1, 1, 5, 0), 5);
    const mask = cache.feeds(4)['mask.3']!;
    const open = (t: number) => [...mask.subarray(64 * t, 64 * t + 64)].flatMap((value, s) => (value === 0 ? [s] : []));
    // Positions 5 to 8 see as far back as 3 to 6.
    expect([0, 1, 2, 3].map(open)).toEqual([[3, 4], [4], [], []]);
    cache.clear();
    expect(cache.feeds(1)['mask.3']!.every((value) => value === masked)).toBe(true);
  });
});
