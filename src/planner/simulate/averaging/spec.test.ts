import { describe, expect, it } from 'vitest';
import { type AveragingSpec, checkAveraging, graceOf, roundTimeoutOf } from './spec.js';

const replica = { stepsPerSecond: 2, up: 1e6, down: 2e6 };
const spec: AveragingSpec = {
  replicas: [replica, { ...replica, stepsPerSecond: 0.1, down: 5e5 }],
  rounds: 3,
  steps: 100,
  contributionBytes: 1e7,
  resultBytes: 2e7,
};

describe('defaults', () => {
  it('give the narrowest line its time', () => {
    expect(graceOf(spec)).toBe(10 + 40);
    expect(graceOf({ ...spec, grace: 3 })).toBe(3);
  });

  it('give the slowest replica its time', () => {
    expect(roundTimeoutOf(spec)).toBe(4 * (1000 + 10));
    expect(roundTimeoutOf({ ...spec, steps: 1 })).toBe(600);
    expect(roundTimeoutOf({ ...spec, roundTimeout: 7 })).toBe(7);
  });
});

describe('checkAveraging', () => {
  it('takes what is in range', () => {
    expect(() => checkAveraging(spec)).not.toThrow();
  });

  it.each([
    [{ replicas: [] }, 'number of replicas must be from 1 to 20000; got 0'],
    [{ rounds: 0 }, 'number of rounds must be a whole number from 1; got 0'],
    [{ steps: 1.5 }, 'inner steps must be a whole number from 1; got 1.5'],
    [{ tokensPerStep: 0 }, 'tokens of a step must be a whole number from 1; got 0'],
    [{ contributionBytes: -1 }, 'contributionBytes must be from 0; got -1'],
    [{ latency: Number.NaN }, 'latency must be from 0; got NaN'],
    [{ storeBandwidth: 0 }, 'storeBandwidth must be above 0; got 0'],
    [{ meanTimeBetweenFailures: 0 }, 'meanTimeBetweenFailures must be above 0; got 0'],
    [{ jitter: 4 }, 'jitter must be from 0 to 3; got 4'],
    [{ straggling: { probability: 2, factor: 2 } }, 'probability of straggling must be from 0 to 1; got 2'],
    [{ straggling: { probability: 0.1, factor: 0.5 } }, 'factor of straggling must be from 1; got 0.5'],
    [{ minimumMembers: 0 }, 'least number of members must be a whole number from 1; got 0'],
    [{ replicas: [{ ...replica, stepsPerSecond: 0 }] }, 'steps a second above 0; got 0'],
    [{ replicas: [{ ...replica, up: 0 }] }, 'bytes a second above 0; got 0 up, 2000000 down'],
    [{ replicas: [{ ...replica, fails: [-1] }] }, 'time of a join, leave or failure must be seconds from 0; got -1'],
    [{ rounds: 1e9 }, '1000000000 rounds of 2 replicas are too many to simulate'],
  ])('refuses %j', (over, message) => {
    expect(() => checkAveraging({ ...spec, ...over })).toThrow(message);
  });
});
