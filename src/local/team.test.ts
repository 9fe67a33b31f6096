import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { validationWindows } from '../data/index.js';
import {
  CONTEXT,
  firstTeamState,
  replicaHere,
  type TestData,
  testData,
  tinyModel,
  tinySetup,
  tinyTask,
} from './local.test-support.js';
import { Team, type TeamSetup } from './team.js';
import type { TeamState } from './team-state.js';

let data: TestData;
beforeAll(async () => {
  data = await testData();
});
afterAll(() => data.remove());

const start = (changes: Partial<TeamSetup>, state: TeamState = firstTeamState(data)) =>
  Team.start(tinySetup(data, changes), tinyModel(data.vocabulary).layout, state, () => replicaHere());

describe('evaluate', () => {
  it('gives the same loss however many replicas share the windows', async () => {
    const windows = validationWindows({ length: data.validationTokens }, CONTEXT);
    const losses: number[] = [];
    for (const replicas of [1, 2, 3]) {
      const team = await start({ replicas, exchange: replicas === 1 ? 'nothing' : 'parameters' });
      losses.push((await team.evaluate(windows)).loss);
      await team.close();
    }
    expect(losses[0]).toBeCloseTo(Math.log(data.vocabulary), 1);
    expect(losses[1]).toBeCloseTo(losses[0]!, 5);
    expect(losses[2]).toBeCloseTo(losses[0]!, 5);
  });

  it('takes fewer windows than there are replicas', async () => {
    const [one, three] = [await start({}), await start({ replicas: 3, exchange: 'parameters' })];
    expect((await three.evaluate([16])).loss).toBeCloseTo((await one.evaluate([16])).loss, 5);
    await one.close();
    await three.close();
  });
});

const kinds: [string, Partial<TeamSetup>, { moments: number; momentum: boolean }][] = [
  ['one replica', {}, { moments: 1, momentum: false }],
  ['averaged gradients', { replicas: 2, exchange: 'gradients', stepsPerRound: 1 }, { moments: 1, momentum: false }],
  [
    'shared moments',
    { replicas: 3, exchange: 'gradients', sharded: true, stepsPerRound: 1 },
    { moments: 1, momentum: false },
  ],
  ['averaged moments', { replicas: 2, exchange: 'parameters' }, { moments: 1, momentum: true }],
  ['kept moments', { replicas: 2, exchange: 'parameters', averageMoments: false }, { moments: 2, momentum: true }],
  [
    'plain average',
    { replicas: 3, exchange: 'parameters', outer: { method: 'average', learningRate: 1, momentum: 0 } },
    { moments: 1, momentum: false },
  ],
];

describe.each(kinds)('the state with %s', (_name, changes, holds) => {
  const length = changes.stepsPerRound ?? 3;

  it('is all that another team needs to go on bit for bit', async () => {
    const whole = await start(changes);
    for (let i = 0; i < 2; i++) await whole.rounds.runRound(i * length, length);
    // Copied, because later snapshots fill the same arrays again.
    const saved = structuredClone(await whole.state());
    expect(saved.moments.length).toBe(holds.moments);
    expect(saved.outerMomentum !== undefined).toBe(holds.momentum);
    expect(saved.round).toBe(2);
    const losses: number[][] = [[], []];
    const ends: Float32Array[] = [];
    for (const [k, team] of [whole, await start(changes, saved)].entries()) {
      for (let i = 2; i < 5; i++) await team.rounds.runRound(i * length, length, ({ loss }) => losses[k]!.push(loss));
      ends.push((await team.state()).parameters.slice());
      await team.close();
    }
    expect(losses[1]).toEqual(losses[0]);
    expect(losses[0]!.length).toBe(3 * length);
    expect(ends[1]).toEqual(ends[0]);
  });
});

it('fills the arrays of an earlier snapshot again', async () => {
  const team = await start({ replicas: 2, exchange: 'parameters', averageMoments: false });
  const first = await team.state();
  await team.parameters();
  const second = await team.state();
  // The first's arrays were moved away to be filled.
  expect(first.parameters.length).toBe(0);
  expect(first.moments[1]!.moment2).toHaveLength(0);
  expect(second.parameters.length).toBe(tinyModel(data.vocabulary).layout.size);
  await team.close();
});

it('fills the moments of an earlier snapshot again where replicas have parts of them', async () => {
  const team = await start({ replicas: 3, exchange: 'gradients', sharded: true, stepsPerRound: 1 });
  await team.rounds.runRound(0, 1);
  const first = await team.state();
  const copy = structuredClone(first.moments);
  const second = await team.state();
  expect(second.moments).toEqual(copy);
  expect(first.moments[0]!.moment2).toHaveLength(0);
  await team.close();
});

it('closes its replicas when one cannot start', async () => {
  let closed = 0;
  const failing = Team.start(
    tinySetup(data, {
      replicas: 2,
      exchange: 'parameters',
      task: { ...tinyTask(data), folder: `${data.tokens}-missing` },
    }),
    tinyModel(data.vocabulary).layout,
    firstTeamState(data),
    () => {
      const inner = replicaHere();
      const close = async () => {
        await inner.close();
        closed++;
      };
      return { ...inner, close };
    },
  );
  await expect(failing).rejects.toThrow('holds no prepared data');
  expect(closed).toBe(2);
});
