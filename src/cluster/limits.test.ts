import { describe, expect, it } from 'vitest';
import { crosses, planSteps } from './limits.js';

describe('planSteps', () => {
  const evalEvery = 250;

  it.each([
    ['no limit', {}, { schedule: 2000, most: 2000 }],
    ['steps', { steps: 7 }, { schedule: 7, most: 7 }],
    ['tokens, rounded up', { tokens: 1001 }, { schedule: 11, most: 11 }],
    ['a loss alone: ten times the schedule at the most', { untilLoss: 1.9 }, { schedule: 2000, most: 20_000 }],
    ['a loss with steps', { untilLoss: 1.9, steps: 30 }, { schedule: 30, most: 30 }],
  ])('%s', (_name, options, expected) => {
    expect(planSteps({ evalEvery, ...options }, 100)).toEqual(expected);
  });

  it('fits minutes to the speed, evaluations included', () => {
    // A step: 100 tokens, and of an evaluation 75,000 / 3 / 250 = 100; half of 60,000 tokens/s for 2 minutes, less 5 %.
    const plan = planSteps({ evalEvery, minutes: 2 }, 100, { tokensPerSecond: 1000, evaluationTokens: 75_000 });
    expect(plan).toEqual({ schedule: 570, most: 570 });
    const slow = planSteps({ evalEvery, minutes: 0.001 }, 100, { tokensPerSecond: 1, evaluationTokens: 0 });
    expect(slow).toEqual({ schedule: 1, most: 1 });
    expect(() => planSteps({ evalEvery, minutes: 2 }, 100)).toThrow('measured speed');
  });
});

it('sees a multiple that a round has passed', () => {
  expect(crosses(0, 25, 20)).toBe(true);
  expect(crosses(20, 25, 20)).toBe(false);
  expect(crosses(15, 20, 20)).toBe(true);
  expect(crosses(25, 75, 20)).toBe(true);
  expect(crosses(0, 19, 20)).toBe(false);
});
