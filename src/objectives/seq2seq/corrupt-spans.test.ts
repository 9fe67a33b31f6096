import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import { corruptSpans, spanCounts, spanLengths, tokensForSource } from './corrupt-spans.js';

const T5 = { density: 0.15, span: 3 };
const [sentinel, end] = [999, 1];

const texts = fc.record({
  length: fc.integer({ min: 2, max: 300 }),
  density: fc.double({ min: 0.01, max: 0.99, noNaN: true }),
  span: fc.double({ min: 1, max: 20, noNaN: true }),
  seed: fc.nat(),
});

describe('corruptSpans', () => {
  it('loses nothing: with its spans put back the source is the text, and lengths are as told', () => {
    fc.assert(
      fc.property(texts, ({ length, seed, ...settings }) => {
        const ids = Int32Array.from({ length }, (_, i) => 2 + i);
        const { source, target } = corruptSpans(ids, new Random(seed), { ...settings, sentinel, end });
        expect({ source: source.length, target: target.length }).toEqual(spanLengths(length, settings));
        expect([source.at(-1), target.at(-1)]).toEqual([end, end]);
        const { spans } = spanCounts(length, settings);
        const parts: number[][] = [];
        for (const id of target.subarray(0, -1)) {
          if (id > sentinel - spans) parts.push([]);
          else parts.at(-1)!.push(id);
        }
        expect([...target].filter((id) => id > sentinel - spans)).toEqual(parts.map((_, i) => sentinel - i));
        const whole = [...source.subarray(0, -1)].flatMap((id) =>
          id > sentinel - spans ? parts[sentinel - id]! : [id],
        );
        expect(whole).toEqual([...ids]);
        // Text comes first, and stands between any two spans.
        expect(source[0]).toBe(2);
        for (const [i, id] of source.entries()) if (id > sentinel - spans) expect(source[i + 1]).not.toBe(id - 1);
      }),
    );
  });

  it('gives the same for the same generator, and another for another', () => {
    const ids = Int32Array.from({ length: 100 }, (_, i) => 2 + i);
    const of = (seed: number) => [...corruptSpans(ids, new Random(seed), { ...T5, sentinel, end }).source].join();
    expect(of(1)).toBe(of(1));
    expect(new Set(Array.from({ length: 20 }, (_, seed) => of(seed))).size).toBe(20);
  });

  it('begins with text and ends with a span, as the published code does, and else leaves out any place', () => {
    const [length, runs] = [40, 2_000];
    const counts = new Float64Array(length);
    for (let i = 0; i < runs; i++) {
      const ids = Int32Array.from({ length }, (_, t) => 2 + t);
      const { target } = corruptSpans(ids, new Random(7, i), { ...T5, sentinel, end });
      for (const id of target) if (id >= 2 && id < 2 + length) counts[id - 2]!++;
    }
    expect(counts[0]).toBe(0);
    expect(counts.reduce((a, b) => a + b)).toBe(6 * runs);
    expect(counts[length - 1]).toBe(runs);
    for (const count of counts.subarray(1, -1)) expect(count).toBeGreaterThan(runs / 200);
  });
});

describe('lengths', () => {
  it("are those of T5's code", () => {
    // As its paper says: 512 tokens of source, 114 of target.
    expect(tokensForSource(512, T5)).toBe(568);
    expect(spanLengths(568, T5)).toEqual({ source: 512, target: 114 });
    // Halves go to the even number.
    expect(spanCounts(30, T5)).toEqual({ left: 4, spans: 1 });
    expect(spanCounts(50, T5)).toEqual({ left: 8, spans: 3 });
  });

  it('fill a source as far as they can', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 2000 }), (source) => {
        const tokens = tokensForSource(source, T5);
        expect(spanLengths(tokens, T5).source).toBeLessThanOrEqual(source);
        expect(spanLengths(tokens + 1, T5).source).toBeGreaterThan(source);
      }),
    );
  });
});
