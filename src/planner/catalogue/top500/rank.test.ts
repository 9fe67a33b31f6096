import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../base/errors.js';
import { findList, top500Lists } from './lists.js';
import { rankOf } from './rank.js';

describe('rankOf', () => {
  it.each([
    ['2019-11', 200_000, '1'],
    ['2019-11', 148_600, '1'],
    ['2019-11', 148_599, '2'],
    ['2019-11', 53_000, '5'],
    ['2020-06', 53_000, '6'],
    ['2019-11', 23_516.4, '5'],
    ['2020-06', 27_580, '7'],
    ['2019-11', 1000, '> 500'],
    ['2026-06', 500_000, '> 5'],
    ['2025-11', 400_000, '> 5'],
    // Of this list only rank 5 is shipped.
    ['2025-11', 600_000, '1 to 5'],
  ])('%s, %d teraflops: %s', (list, rmax, text) => {
    expect(rankOf(list, rmax).text).toBe(text);
  });

  it('gives every shipped entry its own rank', () => {
    for (const list of top500Lists) {
      for (const { rank, rmaxTflops } of findList(list).entries) expect(rankOf(list, rmaxTflops).worst).toBe(rank);
    }
  });

  it('says how deep the shipped entries go, and between which a machine stands', () => {
    const found = rankOf('2020-06', 53_000);
    expect(found).toMatchObject({ rank: 6, best: 6, worst: 6, depth: 7, estimate: null, warnings: [] });
    expect(found.above!.system).toBe('Tianhe-2A');
    expect(found.below!.system).toBe('HPC5 (V100)');
    expect(found.method).toBe('among the 7 shipped entries of 2020-06 (down to rank 7)');
    expect(rankOf('2020-06', 1e6).above).toBeNull();
  });

  it('estimates a rank below them by a stated line to rank 500', () => {
    const found = rankOf('2019-11', 5000);
    // Rank 5 with 23,516 and rank 500 with 1,140: 5 · 100^(ln(23516.4/5000) / ln(23516.4/1140)).
    expect(found).toMatchObject({ rank: null, best: 6, worst: null, depth: 5, estimate: 53, text: '> 5, about 53' });
    expect(found.method).toMatch(/log rank and log Rmax from rank 5 \(Frontera\) to 1140 TFLOP\/s at rank 500/);
    expect(rankOf('2019-11', 1140).estimate).toBe(500);
    expect(rankOf('2019-11', 23_500).estimate).toBe(6);
    expect(rankOf('2026-06', 500_000)).toMatchObject({
      estimate: null,
      method: expect.stringMatching(/last is not known/),
    });
  });

  it('never ranks the faster machine lower', () => {
    const rmax = fc.double({ min: 10, max: 1e7, noNaN: true });
    fc.assert(
      fc.property(fc.constantFrom(...top500Lists), rmax, rmax, (list, a, b) => {
        const [slow, fast] = [Math.min(a, b), Math.max(a, b)].map((value) => rankOf(list, value));
        expect(fast!.best).toBeLessThanOrEqual(slow!.best);
        expect(fast!.estimate ?? 0).toBeLessThanOrEqual(slow!.estimate ?? 501);
      }),
    );
  });

  it('warns of petaflops given as teraflops, and of gigaflops', () => {
    // The press of May 2020: the fifth of the list has 23.5 petaflops.
    expect(rankOf('2019-11', 23.5).warnings).toEqual([
      '23.5 teraflops is far below the machines of 2019-11; if 23.5 petaflops were meant, give 23500.',
    ]);
    expect(rankOf('2019-11', 23_500_000).warnings[0]).toMatch(/if 23500000 gigaflops were meant, give 23500.$/);
    expect(rankOf('2019-11', 500).warnings).toEqual([]);
    expect(rankOf('2019-11', 0.001).warnings).toEqual([]);
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e300])('refuses an Rmax of %s', (rmax) => {
    expect(() => rankOf('2020-06', rmax)).toThrow(UsageError);
    expect(() => rankOf('2020-06', rmax)).toThrow(/Expected Rmax in teraflops .* got/);
  });
});
