import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CutWindows, mostWindows, windowsOfAll, windowsOfNext } from './text-windows.js';

const ids = (length: number) => Int32Array.from({ length }, (_, i) => i);

/** All windows of a text that comes in parts of such lengths. */
function cut(how: typeof windowsOfNext, parts: readonly number[], context: number, stride?: number) {
  const all = ids(parts.reduce((sum, length) => sum + length, 0));
  const runs: CutWindows['runs'][number][] = [];
  let [from, to, begun] = [0, 0, false];
  for (const [i, length] of parts.entries()) {
    to += length;
    const found = how({ ids: all.subarray(from, to), begun, end: i === parts.length - 1 }, context, stride);
    runs.push(...found.runs);
    begun ||= found.runs.length > 0;
    from += found.from;
  }
  return { all, runs };
}
const lengths = fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 4 });
const contexts = fc.integer({ min: 1, max: 1500 });
const strides = contexts.chain((context) => fc.tuple(fc.constant(context), fc.integer({ min: 1, max: context })));

describe('windowsOfNext', () => {
  it('tells each token but the first once, whatever parts the text comes in', () => {
    fc.assert(
      fc.property(lengths, strides, fc.boolean(), (parts, [context, some], overlap) => {
        const stride = overlap ? some : context;
        const { all, runs } = cut(windowsOfNext, parts, context, stride);
        const told = runs.flatMap(({ windows }) => windows.flatMap(({ ids, known }) => [...ids.subarray(1 + known)]));
        expect(told).toEqual([...all.subarray(1)]);
        for (const [i, { ids, known }] of runs.flatMap(({ windows }) => windows).entries()) {
          expect(ids[0]).toBe(i * stride);
          expect(known).toBe(i === 0 ? 0 : context - stride);
        }
        for (const { length, windows } of runs) {
          expect(length).toBeLessThanOrEqual(context);
          expect(windows.length).toBeLessThanOrEqual(mostWindows(length));
          for (const { ids } of windows) expect(ids.length).toBeLessThanOrEqual(length + 1);
        }
      }),
    );
  });

  it('shortens the graph for a short text alone', () => {
    expect(cut(windowsOfNext, [6], 100).runs.map(({ length }) => length)).toEqual([8]);
    expect(cut(windowsOfNext, [151], 100).runs.map(({ length }) => length)).toEqual([100]);
    expect(cut(windowsOfNext, [1], 100).runs).toEqual([]);
  });
});

describe('windowsOfAll', () => {
  it('holds each token once, but for one that is left alone, and fills nothing', () => {
    fc.assert(
      fc.property(lengths, contexts, (parts, context) => {
        const { all, runs } = cut(windowsOfAll, parts, context);
        const held = runs.flatMap(({ windows }) => windows.flatMap(({ ids }) => [...ids]));
        expect(held).toEqual([...all.subarray(0, held.length)]);
        expect(all.length - held.length).toBeLessThanOrEqual(1);
        for (const { length, windows } of runs) for (const { ids } of windows) expect(ids.length).toBe(length);
      }),
    );
  });

  it('cuts the rest of a text into powers of two', () => {
    const { runs } = cut(windowsOfAll, [2100 + 13], 700);
    expect(runs.map(({ length, windows }) => [length, windows.length])).toEqual([
      ...[1, 2, 3].map(() => [700, 1]),
      ...[8, 4].map((length) => [length, 1]),
    ]);
  });
});
