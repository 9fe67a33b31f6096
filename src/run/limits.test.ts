import { describe, expect, it } from 'vitest';
import { crosses, planSteps } from './limits.js';

describe('planSteps', () => {
  it.each([
    ['no limit', {}, { schedule: 2000, most: 2000 }],
    ['steps', { steps: 7 }, { schedule: 7, most: 7 }],
    ['tokens, rounded up', { tokens: 1001 }, { schedule: 11, most: 11 }],
    ['a loss alone: ten times the schedule at the most', { untilLoss: 1.9 }, { schedule: 2000, most: 20_000 }],
    ['a loss with steps', { untilLoss: 1.9, steps: 30 }, { schedule: 30, most: 30 }],
  ])('%s', (_name, options, expected) => {
    expect(planSteps(options, 100)).toEqual(expected);
  });

  it('passes three times over rows, but makes no more steps than without', () => {
    expect(planSteps({}, 100, 1010)).toEqual({ schedule: 31, most: 31 });
    expect(planSteps({ untilLoss: 1 }, 100, 1010)).toEqual({ schedule: 31, most: 310 });
    expect(planSteps({}, 100, 1e6)).toEqual({ schedule: 2000, most: 2000 });
    expect(planSteps({ steps: 7 }, 100, 1010)).toEqual({ schedule: 7, most: 7 });
  });

  it('leaves minutes to the clock', () => {
    expect(planSteps({ minutes: 2 }, 100)).toEqual({ schedule: 2000, most: Number.MAX_SAFE_INTEGER });
  });
});

it('sees a multiple that a round has passed', () => {
  expect(crosses(0, 25, 20)).toBe(true);
  expect(crosses(20, 25, 20)).toBe(false);
  expect(crosses(15, 20, 20)).toBe(true);
  expect(crosses(25, 75, 20)).toBe(true);
  expect(crosses(0, 19, 20)).toBe(false);
});
