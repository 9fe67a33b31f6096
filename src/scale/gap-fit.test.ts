import { describe, expect, it } from 'vitest';
import gaps from '../planner/averaging/gaps.json' with { type: 'json' };
import { fitGap, type GapPoint, gapOf } from './gap-fit.js';

const truth = { scale: 0.002, replicasExponent: 1.5, stepsExponent: 0.4, rmse: 0 };
const points = [2, 4].flatMap((replicas) =>
  [10, 40].map((syncEvery): GapPoint => ({ replicas, syncEvery, gap: gapOf(truth, replicas, syncEvery) })),
);

describe('fitGap', () => {
  it('recovers a law from its own gaps', () => {
    const law = fitGap(points);
    expect(law.rmse).toBeLessThan(1e-6);
    expect(law.replicasExponent).toBeCloseTo(1.5, 6);
    expect(law.stepsExponent).toBeCloseTo(0.4, 6);
    expect(gapOf(law, 8, 100)).toBeCloseTo(gapOf(truth, 8, 100), 8);
  });

  it('says of the published runs within half a point what 8 replicas lose, from 2 and 4', () => {
    // Tables 4 and 5 of arXiv 2503.09799, H = 30, of 35 million to 2.4 billion parameters.
    const rows = gaps.rows.filter(({ losses }) => losses[2] !== null);
    expect(rows).toHaveLength(7);
    for (const { parameters, dataParallel, losses } of rows) {
      const gap = (i: number) => losses[i]! / dataParallel - 1;
      const law = fitGap([0, 1].map((i) => ({ replicas: gaps.replicas[i]!, syncEvery: 30, gap: gap(i) })));
      expect(Math.abs(gapOf(law, 8, 30) - gap(2)), `${parameters} parameters`).toBeLessThan(0.005);
    }
  });

  it('takes gaps of nothing, and below', () => {
    const none = fitGap(points.map((point, i) => ({ ...point, gap: i % 2 === 0 ? -0.001 : 0.0005 })));
    expect(gapOf(none, 8, 10)).toBeLessThan(0.002);
    expect(Number.isFinite(gapOf(none, 8, 40))).toBe(true);
  });

  it('refuses runs that say nothing of more replicas', () => {
    expect(() => fitGap(points.filter(({ replicas }) => replicas === 2))).toThrow('two different numbers of replicas');
    expect(() => fitGap([])).toThrow('got none');
  });
});
