import { describe, expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import { chinchillaPoints } from './chinchilla.js';
import { fitLaw, withoutFewestTokens } from './fit.js';
import { type LossPoint, lossOf, type ParametricLaw } from './parametric.js';

const within = (got: number, expected: number, share: number) =>
  expect(Math.abs(got / expected - 1), `${got} against ${expected}`).toBeLessThan(share);

describe('fitLaw', () => {
  it('gives the replication’s estimate on its 240 points', () => {
    const { law, points, exponents, starts } = fitLaw(withoutFewestTokens(chinchillaPoints(), 5));
    expect(points).toBe(240);
    within(law.A, 477.84, 0.001);
    within(law.B, 2143.9, 0.001);
    within(law.E, 1.81724, 0.0001);
    within(law.alpha, 0.34731, 0.0001);
    within(law.beta, 0.36718, 0.0001);
    // β/(α+β); with the digits of the replication's table 1 it is 0.5126.
    within(exponents.a, 0.5139, 0.001);
    expect(exponents.a + exponents.b).toBeCloseTo(1, 12);
    expect(starts).toMatchObject({ tried: 243, followed: 12 });
    expect(starts.agreeing).toBeGreaterThan(6);
  });

  it('is moved by the five points that the replication leaves out', () => {
    const all = fitLaw(chinchillaPoints());
    const { objective, rmse } = fitLaw(withoutFewestTokens(chinchillaPoints(), 5));
    expect(all.points).toBe(245);
    expect(all.objective).toBeGreaterThan(objective * 1.2);
    expect(all.rmse).toBeGreaterThan(rmse);
  });

  it('recovers a law from its own losses', () => {
    const truth: ParametricLaw = { E: 1.5, A: 120, B: 900, alpha: 0.28, beta: 0.33 };
    const random = new Random(5);
    const points: LossPoint[] = Array.from({ length: 60 }, () => {
      const parameters = 10 ** (7 + 3 * random.uniform());
      const tokens = 10 ** (8.5 + 3 * random.uniform());
      return { parameters, tokens, loss: lossOf(truth, parameters, tokens) };
    });
    const { law, rmse } = fitLaw(points);
    for (const key of ['E', 'A', 'B', 'alpha', 'beta'] as const) within(law[key], truth[key], 0.005);
    expect(rmse).toBeLessThan(1e-4);
  });

  it('refuses points that determine nothing', () => {
    const point = (parameters: number, tokens: number) => ({ parameters, tokens, loss: 3 });
    expect(() => fitLaw([point(1, 2)])).toThrow('at least 6 runs; got 1');
    const same = Array.from({ length: 9 }, (_, i) => point(1e8, 1e9 * (i + 1)));
    expect(() => fitLaw(same)).toThrow('at least 3 different numbers of parameters; got 1');
  });

  it('refuses a table in which more training does not help', () => {
    const points = Array.from({ length: 40 }, (_, i) => {
      const parameters = 1e7 * 2 ** (i % 8);
      const tokens = 1e9 * 2 ** Math.floor(i / 8);
      return { parameters, tokens, loss: 2 + (parameters / 1e9) ** 0.3 };
    });
    expect(() => fitLaw(points)).toThrow('loss does not fall');
  });
});

describe('withoutFewestTokens', () => {
  it('leaves out those with the fewest tokens per parameter and keeps the order', () => {
    const points = [1, 30, 2, 20, 10].map((tokens) => ({ parameters: 1, tokens, loss: 3 }));
    expect(withoutFewestTokens(points, 2).map(({ tokens }) => tokens)).toEqual([30, 20, 10]);
    expect(withoutFewestTokens(points, 0)).toEqual(points);
  });
});
