import { describe, expect, test } from 'vitest';
import { searchArrangements } from '../search/search.js';
import { cluster, fixed, framework, knownStep, workload } from '../search/search.test-support.js';
import type { RunPlan } from './plan-run.js';
import { chooseRun, type RunOption, rented, runsOf } from './runs.js';

test('whole nodes are rented, and no more than there are', () => {
  expect([1, 4, 5, 16].map((used) => rented(cluster, used))).toEqual([4, 4, 8, 16]);
  expect(rented({ ...cluster, accelerators: 14 }, 13)).toBe(14);
});

test('each member of a front becomes a run; one that never ends is left out', () => {
  const { front } = searchArrangements(workload, cluster, framework, fixed, knownStep(16e9));
  const options = runsOf(workload, cluster, front, 1e9);
  expect(options.map(({ accelerators }) => accelerators)).toEqual([4, 8, 16]);
  for (const { run, candidate } of options) {
    expect(run.trainingSeconds).toBeCloseTo(run.steps * candidate.prediction.time.total, 6);
  }
  const brittle = { ...cluster, nodeMeanTimeBetweenFailures: 1 };
  expect(runsOf(workload, brittle, front, 1e12)).toEqual([]);
});

describe('the choice of a run', () => {
  const option = (accelerators: number, seconds: number, usd: number): RunOption => ({
    accelerators,
    candidate: undefined as never,
    interval: { share: 0.8, low: 0.9, high: 1.1 },
    run: { seconds, days: seconds / 86_400, usd, acceleratorHours: usd } as RunPlan,
  });
  const options = [option(4, 1000, 10), option(8, 600, 12), option(16, 400, 20)];
  const chosen = (limits: Parameters<typeof chooseRun>[1]) => {
    const { option: best, warning } = chooseRun(options, limits);
    return [best.accelerators, warning];
  };

  test.each([
    [{}, 16, null],
    [{ usd: 15 }, 8, null],
    [{ seconds: 700 }, 8, null],
    [{ seconds: 5000 }, 4, null],
    [{ seconds: 500, usd: 25 }, 16, null],
  ])('%j', (limits, accelerators, warning) => {
    expect(chosen(limits)).toEqual([accelerators, warning]);
  });

  test('tells which limit cannot be kept, and by how much', () => {
    expect(chosen({ usd: 5 })).toEqual([4, 'No arrangement keeps to the budget: the cheapest costs $10.']);
    expect(chosen({ seconds: 100 })).toEqual([16, 'No arrangement ends in time: the fastest takes 0.00463 days.']);
    expect(chosen({ seconds: 500, usd: 15 })).toEqual([
      16,
      'No arrangement keeps to the budget: the cheapest costs $20.',
    ]);
  });
});
