import { describe, expect, test } from 'vitest';
import { cluster, fixed, framework, knownStep, workload } from '../search/search.test-support.js';
import { type AveragingRequest, chooseAveraging, stepOf } from './choose.js';

const law = { E: 1.8172, A: 482.01, B: 2085.43, alpha: 0.3478, beta: 0.3658 };
const request: AveragingRequest = {
  method: { outerPrecision: 'bf16', vectors: 1, fragments: 1, overlapSteps: 0 },
  spread: 1,
  tokens: 2.48e9,
  law,
};
const predict = knownStep(16e9);
const choose = (change: Partial<AveragingRequest> = {}, machine = cluster) =>
  chooseAveraging(workload, machine, framework, fixed, { ...request, ...change }, predict);

describe('the choice', () => {
  test('comes to the same loss soonest of all that it tried', () => {
    const best = choose()!;
    for (const replicas of [2, 4, 8, 12]) {
      for (const innerSteps of [10, 30, 100, 300]) {
        const other = choose({ replicas, method: { ...request.method, innerSteps } });
        expect(best.equalLossSeconds).toBeLessThanOrEqual(other!.equalLossSeconds);
      }
    }
    expect(best.tried.map(({ replicas }) => replicas)).toEqual([12, 2, 4, 8, 4, 2, 2]);
  });

  test('averages less often on a slower line', () => {
    const slow = { ...cluster, interNode: cluster.interNode / 1e4 };
    const replicas = 2;
    expect(choose({ replicas }, slow)!.method.innerSteps).toBeGreaterThan(choose({ replicas })!.method.innerSteps);
  });

  test('there is none where no part holds a replica or the count cannot be', () => {
    expect(choose({ replicas: 5 })).toBeNull();
    expect(chooseAveraging(workload, cluster, framework, fixed, request, knownStep(1e6))).toBeNull();
    expect(choose({}, { ...cluster, accelerators: 1, perNode: 1 })).toBeNull();
  });
});

test('a step of averaging adds up: all replicas work, and wait for the average', () => {
  const method = { ...request.method, innerSteps: 10, fragments: 2, overlapSteps: 50 };
  const plan = choose({ replicas: 4, method })!;
  // A fragment cannot travel for longer than until the next one leaves.
  expect(plan.method.overlapSteps).toBe(5);
  const inner = plan.inner.prediction;
  expect(plan.inner.arrangement.globalBatch).toBe(6);
  expect(plan.stepSeconds).toBeCloseTo(inner.time.total + plan.round.exposed / 10, 12);
  const step = stepOf(plan);
  const { total, ...parts } = step.time;
  expect(Object.values(parts).reduce((sum, seconds) => sum + seconds, 0)).toBeCloseTo(total, 12);
  expect(step.tokensPerSecond).toBeCloseTo((fixed.globalBatch * fixed.sequence) / plan.stepSeconds, 6);
  expect(step.modelFlop).toBe(4 * inner.modelFlop);
  expect(step.bytesInter).toBeCloseTo((1.5 * 2 * workload.parameters) / 10, 0);
});

test('replicas of uneven speed do steps after their speed, and lose little', () => {
  const method = { ...request.method, innerSteps: 100 };
  const even = choose({ replicas: 4, method })!;
  const uneven = choose({ replicas: 4, method, spread: 3 })!;
  expect(uneven.uneven!.innerSteps).toEqual([50, 83, 117, 150]);
  expect(uneven.stepSeconds / even.stepSeconds).toBeGreaterThan(1);
  expect(uneven.stepSeconds / even.stepSeconds).toBeLessThan(1.02);
});
