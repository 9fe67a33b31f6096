import { describe, expect, it } from 'vitest';
import type { TrainingSpeed } from './cost.js';
import { type LadderSettings, ladderSeconds, ladderWithin, makeLadder } from './ladder.js';

const settings: LadderSettings = {
  least: 30_000,
  most: 500_000,
  predict: 1_000_000,
  context: 64,
  batchSize: 16,
  seed: 1,
  seeds: 2,
};
const speed: TrainingSpeed = { overhead: 2, fixed: 4e-6, perParameter: 5e-11 };

describe('makeLadder', () => {
  it('has five sizes, lengths of 1, 2 and 4, and predicts five times the compute of the largest', () => {
    const ladder = makeLadder(settings, 1000);
    expect(ladder.sizes).toHaveLength(5);
    expect(ladder.steps).toEqual([1000, 2000, 4000]);
    const largest = ladder.sizes.at(-1)!.parameters * 4000;
    expect((ladder.predicted.parameters * ladder.predictedSteps) / largest).toBeCloseTo(5, 3);
    expect(ladder.predicted.parameters).toBeGreaterThan(1.8 * ladder.sizes.at(-1)!.parameters);
  });

  it('predicts neither what it fits nor what it could hardly train', () => {
    expect(() => makeLadder({ ...settings, predict: 400_000 }, 1000)).toThrow('not above 492016');
    expect(() => makeLadder({ ...settings, predict: 20_000_000 }, 1000)).toThrow('Predict at most 10 times 492016');
  });
});

describe('ladderWithin', () => {
  it('spends nearly all of a budget, and no more', () => {
    const planned = (minutes: number, places: number) => {
      const { tune, rungs, truth } = ladderSeconds(ladderWithin(settings, 60 * minutes, speed, places), speed, places);
      return (tune + rungs + truth) / (60 * minutes);
    };
    for (const places of [1, 2, 8]) {
      expect(planned(45, places)).toBeLessThanOrEqual(0.9);
      expect(planned(45, places)).toBeGreaterThan(0.88);
    }
  });

  it('trains longer for more minutes and with more cores', () => {
    const steps = (minutes: number, places: number) => ladderWithin(settings, 60 * minutes, speed, places).steps[0]!;
    expect(steps(45, 2)).toBeGreaterThan(1.8 * steps(25, 2));
    expect(steps(45, 2)).toBeGreaterThan(1.5 * steps(45, 1));
    expect(() => steps(0.1, 2)).toThrow('The budget is too small');
  });
});
