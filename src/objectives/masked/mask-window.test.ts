import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import { type Masking, maskWindow, mostChosen } from './mask-window.js';

/** Windows of text that holds no mask, and how to mask them. */
const windows = fc
  .record({
    length: fc.integer({ min: 1, max: 80 }),
    vocabulary: fc.integer({ min: 2, max: 300 }),
    rate: fc.double({ min: 0.01, max: 1, noNaN: true }),
    seed: fc.nat(),
  })
  .chain(({ length, vocabulary, rate, seed }) =>
    fc.nat({ max: vocabulary - 1 }).map((maskId) => {
      const random = new Random(seed, 'text');
      const ids = Int32Array.from({ length }, () => {
        const id = random.below(vocabulary - 1);
        return id < maskId ? id : id + 1;
      });
      const masking: Masking = { rate, maskId, vocabulary, most: mostChosen(rate, length) };
      return { ids, masking, seed };
    }),
  );

describe('maskWindow', () => {
  it('chooses from 1 to the most, in order, and tells what stood there; all else stays', () => {
    fc.assert(
      fc.property(windows, ({ ids, masking, seed }) => {
        const before = ids.slice();
        const masked = maskWindow(ids, new Random(seed), masking);
        expect(ids).toEqual(before);
        const { positions, targets } = masked;
        expect(positions.length).toBeGreaterThanOrEqual(1);
        expect(positions.length).toBeLessThanOrEqual(masking.most);
        expect([...positions]).toEqual([...new Set(positions)].sort((a, b) => a - b));
        expect([...targets]).toEqual([...positions].map((t) => ids[t]));
        for (const [t, id] of masked.ids.entries()) {
          expect(id >= 0 && id < masking.vocabulary).toBe(true);
          if (!positions.includes(t)) expect(id).toBe(ids[t]);
        }
      }),
    );
  });

  it('gives the same for the same generator, and another for another', () => {
    fc.assert(
      fc.property(windows, ({ ids, masking, seed }) => {
        expect(maskWindow(ids, new Random(seed), masking)).toEqual(maskWindow(ids, new Random(seed), masking));
      }),
    );
    const ids = Int32Array.from({ length: 64 }, (_, i) => i);
    const masking = { rate: 0.15, maskId: 64, vocabulary: 65, most: mostChosen(0.15, 64) };
    const all = Array.from({ length: 20 }, (_, seed) => maskWindow(ids, new Random(seed), masking).positions.join());
    expect(new Set(all).size).toBe(20);
  });

  it('masks 8 of 10 chosen, puts another token for 1 and leaves 1, over many windows', () => {
    const [length, vocabulary, maskId, rate] = [100, 50, 49, 0.15];
    const masking = { rate, maskId, vocabulary, most: mostChosen(rate, length) };
    const text = new Random(1);
    const counts = { tokens: 0, chosen: 0, masked: 0, same: 0 };
    const replaced = new Float64Array(vocabulary);
    const places = new Float64Array(length);
    for (let i = 0; i < 4000; i++) {
      const ids = Int32Array.from({ length }, () => text.below(maskId));
      const { ids: read, positions, targets } = maskWindow(ids, new Random(2, i), masking);
      counts.tokens += length;
      counts.chosen += positions.length;
      positions.forEach((t, n) => {
        places[t]!++;
        if (read[t] === maskId) counts.masked++;
        else if (read[t] === targets[n]) counts.same++;
        else replaced[read[t]!]!++;
      });
    }
    // 60,000 chosen: five standard deviations of each share.
    const near = (count: number, of: number, share: number) =>
      expect(Math.abs(count / of - share)).toBeLessThan(5 * Math.sqrt((share * (1 - share)) / of));
    near(counts.chosen, counts.tokens, rate);
    near(counts.masked, counts.chosen, 0.8);
    // One token in 49 that is put there by chance is the one that stood there.
    near(counts.same, counts.chosen, 0.1 + 0.1 / maskId);
    expect(replaced[maskId]).toBe(0);
    for (const count of replaced.subarray(0, maskId)) near(count, counts.chosen, (0.1 * (maskId - 1)) / maskId ** 2);
    for (const count of places) near(count, counts.chosen, 1 / length);
  });

  it('lets go of any place alike where more were chosen than there is room for', () => {
    const [length, runs] = [10, 20_000];
    const masking = { rate: 1, maskId: 10, vocabulary: 11, most: 3 };
    const places = new Float64Array(length);
    for (let i = 0; i < runs; i++) {
      const { positions } = maskWindow(new Int32Array(length), new Random(3, i), masking);
      expect(positions.length).toBe(3);
      for (const t of positions) places[t]!++;
    }
    for (const count of places) expect(Math.abs(count / runs - 0.3)).toBeLessThan(0.02);
  });

  it('chooses one where chance chose none, any alike', () => {
    const [length, runs] = [5, 10_000];
    const masking = { rate: 1e-9, maskId: 10, vocabulary: 11, most: 1 };
    const places = new Float64Array(length);
    for (let i = 0; i < runs; i++) {
      const { positions } = maskWindow(new Int32Array(length), new Random(4, i), masking);
      expect(positions.length).toBe(1);
      places[positions[0]!]!++;
    }
    for (const count of places) expect(Math.abs(count / runs - 0.2)).toBeLessThan(0.02);
  });
});

it('has room for twice as many as are chosen in the mean, and never for more than there are', () => {
  expect([mostChosen(0.15, 128), mostChosen(0.15, 1), mostChosen(0.8, 10)]).toEqual([39, 1, 10]);
});
