import fc from 'fast-check';
import { expect, it } from 'vitest';
import { lossOfSteps, weightOfSteps } from './mean-step.js';

const loss = fc.double({ min: 0, max: 20, noNaN: true });

it('counts every target once', () => {
  const steps = [
    { loss: 1, weight: 30 },
    { loss: 4, weight: 10 },
  ];
  expect(lossOfSteps(steps)).toBeCloseTo(1.75, 12);
  expect(weightOfSteps(steps)).toBe(40);
});

it('is the plain mean, to the bit, where all have as many', () => {
  fc.assert(
    fc.property(fc.array(loss, { minLength: 1 }), fc.integer({ min: 1, max: 1e9 }), (losses, weight) => {
      const mean = losses.reduce((sum, one) => sum + one, 0) / losses.length;
      expect(lossOfSteps(losses.map((one) => ({ loss: one, weight })))).toBe(mean);
    }),
  );
});

it('shows that a loss was none', () => {
  expect(
    lossOfSteps([
      { loss: 2, weight: 3 },
      { loss: Number.NaN, weight: 3 },
    ]),
  ).toBeNaN();
});
