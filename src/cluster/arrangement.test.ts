import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { candidates, measureSpeed } from './arrangement.js';
import { firstTeamState, replicaHere, type TestData, testData, tinyModel, tinySetup } from './cluster.test-support.js';

let data: TestData;
beforeAll(async () => {
  data = await testData();
});
afterAll(() => data.remove());

describe('candidates', () => {
  const small = 1e6;

  it.each([
    [
      'two cores',
      2,
      undefined,
      small,
      [
        [1, 2],
        [2, 1],
      ],
    ],
    ['one core', 1, undefined, small, [[1, 1]]],
    [
      'many cores: at most eight replicas share them',
      64,
      undefined,
      small,
      [
        [1, 64],
        [8, 8],
      ],
    ],
    [
      'given threads',
      4,
      2,
      small,
      [
        [1, 2],
        [2, 2],
      ],
    ],
    ['a model that fits in memory once', 2, undefined, 1e13, [[1, 2]]],
  ] as const)('%s', (_name, cores, threads, parameters, expected) => {
    const found = candidates(cores, threads, parameters).map((one) => [one.replicas, one.threads]);
    expect(found).toEqual(expected);
  });
});

it('measures by training, for real', async () => {
  const setup = tinySetup(data, { replicas: 2, exchange: 'parameters', syncEvery: 25 });
  const { layout } = tinyModel(data.vocabulary);
  let closed = 0;
  const begun = performance.now();
  const speed = await measureSpeed(setup, layout, firstTeamState(data).parameters, () => {
    const inner = replicaHere();
    const close = async () => {
      await inner.close();
      closed++;
    };
    return { ...inner, close };
  });
  const seconds = (performance.now() - begun) / 1000;
  expect(closed).toBe(2);
  // At least one step of 2 × 4 × 8 tokens was done in the time that passed.
  expect(speed).toBeGreaterThan(64 / seconds);
  expect(Number.isFinite(speed)).toBe(true);
});
