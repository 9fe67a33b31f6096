import { describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { lossOf, type ParametricLaw } from '../planner/laws/parametric.js';
import { forecastFrom } from './forecast.js';
import { makeLadder } from './ladder.js';

const truth: ParametricLaw = { E: 1.1, A: 40, B: 250, alpha: 0.35, beta: 0.42 };
const ladder = makeLadder(
  { least: 30_000, most: 500_000, predict: 1_000_000, context: 64, batchSize: 16, seed: 1, seeds: 2 },
  1000,
);
const predicted = [ladder.predicted.parameters, 1024 * ladder.predictedSteps] as const;

/** A ladder's runs by the law, each strayed from it by about so much. */
function runs(stray: number, seed: number) {
  const random = new Random(seed);
  return ladder.sizes.flatMap(({ parameters }) =>
    ladder.steps.map((steps) => {
      const normal = Array.from({ length: 12 }, () => random.uniform()).reduce((sum, u) => sum + u, -6);
      const tokens = 1024 * steps;
      return { parameters, tokens, loss: lossOf(truth, parameters, tokens) * Math.exp(stray * normal) };
    }),
  );
}

describe('forecastFrom', () => {
  it('predicts what follows the law', () => {
    const { loss, low, high } = forecastFrom(runs(0, 1), 1).at(...predicted);
    expect(loss).toBeCloseTo(lossOf(truth, ...predicted), 3);
    expect(high - low).toBeLessThan(0.01);
  });

  it('holds nine of ten runs that stray by a third of a percent, and misses by less than one', () => {
    let inside = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const { loss, low, high } = forecastFrom(runs(0.003, seed), 1).at(...predicted);
      const random = new Random(seed, 'truth');
      const normal = Array.from({ length: 12 }, () => random.uniform()).reduce((sum, u) => sum + u, -6);
      const found = lossOf(truth, ...predicted) * Math.exp(0.003 * normal);
      expect(Math.abs(loss / found - 1)).toBeLessThan(0.02);
      // Wide enough by being useless would not count.
      expect((high - low) / loss).toBeLessThan(0.06);
      if (low <= found && found <= high) inside++;
    }
    expect(inside).toBeGreaterThanOrEqual(17);
  });

  it('is the same for the same runs and seed', () => {
    const points = runs(0.003, 1);
    expect(forecastFrom(points, 3).at(...predicted)).toEqual(forecastFrom(points, 3).at(...predicted));
    expect(forecastFrom(points, 4).at(...predicted)).not.toEqual(forecastFrom(points, 3).at(...predicted));
  });
});
