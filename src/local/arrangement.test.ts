import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { candidates, compareLooks, measureSpeeds } from './arrangement.js';
import { firstTeamState, replicaHere, type TestData, testData, tinyModel, tinySetup } from './local.test-support.js';

let data: TestData;
beforeAll(async () => {
  data = await testData();
});
afterAll(() => data.remove());

describe('candidates', () => {
  it.each([
    [
      'two cores',
      2,
      undefined,
      [
        [1, 2],
        [2, 1],
      ],
    ],
    ['one core', 1, undefined, [[1, 1]]],
    [
      'many cores: at most eight replicas share them',
      64,
      undefined,
      [
        [1, 64],
        [8, 8],
      ],
    ],
    [
      'given threads',
      4,
      2,
      [
        [1, 2],
        [2, 2],
      ],
    ],
  ] as const)('%s', (_name, cores, threads, expected) => {
    const found = candidates(cores, threads).map((one) => [one.replicas, one.threads]);
    expect(found).toEqual(expected);
  });
});

describe('measureSpeeds', () => {
  it.each([true, false])('trains by each in turn, for real; all in memory at once: %s', async (together) => {
    const setups = [tinySetup(data), tinySetup(data, { replicas: 2, exchange: 'parameters', stepsPerRound: 25 })];
    const { layout } = tinyModel(data.vocabulary);
    let [started, closed] = [0, 0];
    const begun = performance.now();
    const first = async () => firstTeamState(data).parameters;
    const looks = await measureSpeeds(setups, layout, first, together, () => {
      started++;
      const inner = replicaHere();
      const close = async () => {
        await inner.close();
        closed++;
      };
      return { ...inner, close };
    });
    const seconds = (performance.now() - begun) / 1000;
    expect(started).toBe(together ? 3 : 3 * looks[0]!.length);
    expect(closed).toBe(started);
    expect(looks[1]!.length).toBe(looks[0]!.length);
    // At least one step of 4 × 8 tokens was done in the time that passed.
    for (const speed of looks.flat()) expect(speed).toBeGreaterThan(32 / seconds);
  });
});

it.each([
  [
    'a clear winner',
    [
      [10, 11, 10, 11, 10],
      [20, 19, 21, 20, 20],
    ],
    1,
    true,
  ],
  [
    'one disturbed look changes nothing',
    [
      [10, 11, 10, 11, 30],
      [20, 19, 21, 2, 20],
    ],
    1,
    true,
  ],
  [
    'noise hides which is faster',
    [
      [10, 15, 12, 18, 10],
      [13, 19, 11, 14, 16],
    ],
    1,
    false,
  ],
  [
    'as good as equal',
    [
      [10.2, 10, 10.1],
      [10, 10.1, 10.2],
    ],
    0,
    false,
  ],
  ['alone', [[10, 11, 12]], 0, true],
] as const)('compares looks by their medians: %s', (_name, looks, fastest, clear) => {
  expect(compareLooks(looks)).toMatchObject({ fastest, clear });
});
