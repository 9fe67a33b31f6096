import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findFramework } from '../catalogue/frameworks.js';
import { findCluster, findModel } from '../catalogue/index.js';
import { predictStep } from '../step/step.js';
import { RECOMPUTATIONS } from '../types.js';
import { stepBound } from './bound.js';
import { offloads, schedulesOf, zeroStages } from './choices.js';
import { gridsOf } from './grids.js';

const machine = findCluster('2240xa100');
const framework = findFramework('default', machine.accelerator.name);
const fixed = { globalBatch: 1920, sequence: 2048, precision: 'bf16', flashAttention: true } as const;

test.each(['mt-nlg-530b', 'gpt2-1.5b', 'mixtral-8x7b'])('no step of %s is faster than its bound', (name) => {
  const model = findModel(name);
  const bound = stepBound(model, machine, framework, fixed, predictStep);
  const grids = gridsOf(model, machine, fixed, true);
  const pick = <T>(all: readonly T[], share: number) => all[Math.floor(share * all.length)]!;
  const share = fc.double({ min: 0, max: 0.999, noNaN: true });
  let nearest = Number.POSITIVE_INFINITY;
  fc.assert(
    fc.property(share, share, share, share, share, (a, b, c, d, e) => {
      const grid = pick(grids, a);
      const schedule = pick(schedulesOf(grid, model.layers, fixed), b);
      const arrangement = {
        ...grid,
        ...schedule,
        ...pick(offloads(machine, fixed), c),
        ...fixed,
        zero: pick(zeroStages(grid, fixed), d),
        recompute: pick(RECOMPUTATIONS, e),
        sequenceParallel: grid.tensor > 1,
      };
      const { total } = predictStep(model, machine, arrangement, framework).time;
      const least = bound(grid, schedule);
      nearest = Math.min(nearest, total / least);
      expect(least).toBeGreaterThan(0);
      expect(total / least).toBeGreaterThan(1 - 1e-9);
    }),
    { numRuns: 300 },
  );
  // A bound that says nothing would pass the above.
  expect(nearest).toBeLessThan(model.experts ? 4 : 1.2);
});
