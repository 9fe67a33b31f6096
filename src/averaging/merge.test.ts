import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { NodeEngine } from '../engine/node/engine.js';
import { MERGES } from './choices.js';
import { MergeProgram } from './merge.js';

const engine = new NodeEngine();
const merges = Object.fromEntries(MERGES.map((method) => [method, new MergeProgram(engine, method)]));
afterAll(async () => {
  for (const merge of Object.values(merges)) await merge.dispose();
});

async function merged(method: string, contributions: readonly Float32Array[], weights: readonly number[] = []) {
  const before = contributions.map((vector) => vector.slice());
  const into = new Float32Array(contributions[0]!.length).fill(Number.NaN);
  await merges[method]!.merge(contributions, weights, into);
  const same = contributions.every((vector, k) => Buffer.from(vector.buffer).equals(Buffer.from(before[k]!.buffer)));
  expect(same, 'the contributions are left as they were').toBe(true);
  return into;
}

const f = Math.fround;

describe('mean', () => {
  it('adds by weight in order, to the bit, more contributions than one run takes', async () => {
    for (const n of [1, 2, 4, 5, 9]) {
      const contributions = Array.from({ length: n }, (_, k) =>
        Float32Array.from({ length: 70 }, (_, i) => Math.sin(i + 100 * k) / (k + 1)),
      );
      const weights = contributions.map((_, k) => (2 * (k + 1)) / (n * (n + 1)));
      const expected = contributions[0]!.map((_, i) =>
        contributions.map((x, k) => f(x[i]! * f(weights[k]!))).reduce((a, b) => f(a + b)),
      );
      expect(await merged('mean', contributions, weights)).toEqual(expected);
    }
  });

  it('works over more than one range', async () => {
    const size = 2 ** 16 + 3;
    const contributions = [1, 2, 6].map((k) => Float32Array.from({ length: size }, (_, i) => k * (i % 17)));
    const result = await merged('mean', contributions, [0.5, 0.25, 0.25]);
    for (const i of [0, 5, 2 ** 16 - 1, 2 ** 16, size - 1]) expect(result[i]).toBe(2.5 * (i % 17));
  });
});

describe('robust merges', () => {
  const sortedAt = (contributions: readonly Float32Array[], i: number) =>
    contributions.map((vector) => vector[i]!).sort((a, b) => a - b);
  const middle = (values: readonly number[]) =>
    f(f(values[(values.length - 1) >> 1]! / 2) + f(values[values.length >> 1]! / 2));
  const trimmedMean = (values: readonly number[]) => {
    const out = values.length < 3 ? 0 : Math.max(1, Math.floor(values.length / 5));
    const kept = values.slice(out, values.length - out);
    return kept.reduce((sum, value) => sum + value, 0) / kept.length;
  };

  it('are, at each place, the middle and the mean without the ends, for any number of contributions', async () => {
    const lists = fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 5 })).chain(([n, length]) =>
      fc.array(fc.float32Array({ minLength: length, maxLength: length, noNaN: true, min: -1000, max: 1000 }), {
        minLength: n,
        maxLength: n,
      }),
    );
    await fc.assert(
      fc.asyncProperty(lists, async (contributions) => {
        const [median, trimmed] = [await merged('median', contributions), await merged('trimmed', contributions)];
        for (let i = 0; i < median.length; i++) {
          const values = sortedAt(contributions, i);
          expect(median[i]).toBeCloseTo(middle(values), 4);
          expect(trimmed[i]).toBeCloseTo(trimmedMean(values), 3);
        }
      }),
      { numRuns: 25 },
    );
  });

  it('do not depend on the order of the contributions, to the bit', async () => {
    const contributions = Array.from({ length: 7 }, (_, k) =>
      Float32Array.from({ length: 30 }, (_, i) => Math.cos(i * (k + 1)) * 10 ** (k % 3)),
    );
    const mixed = [3, 6, 0, 5, 1, 4, 2].map((k) => contributions[k]!);
    for (const method of ['trimmed', 'median']) {
      expect(await merged(method, mixed)).toEqual(await merged(method, contributions));
    }
  });

  it('stand up to one that is wrong, where the mean does not', async () => {
    const honest = [1, 1.1, 0.9, 1.05].map((value) => new Float32Array(3).fill(value));
    const all = [...honest, new Float32Array(3).fill(1e30)];
    for (const method of ['trimmed', 'median']) {
      for (const value of await merged(method, all)) expect(Math.abs(value - 1.05)).toBeLessThan(0.1);
    }
    expect((await merged('mean', all, Array(5).fill(0.2)))[0]).toBeGreaterThan(1e29);
  });
});

it('needs something to merge', async () => {
  await expect(merges.mean!.merge([], [], new Float32Array(1))).rejects.toThrow(/nothing to merge/);
});
