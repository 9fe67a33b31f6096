import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lengthOf } from '../training/moments.js';
import { muonMatrices } from '../training/muon.js';
import { firstTeamState, replicaHere, type TestData, testData, tinyModel, tinySetup } from './local.test-support.js';
import type { ReplicaState } from './messages.js';
import type { ReplicaHandle } from './replica-thread.js';
import { shardsOf } from './shards-of.js';
import { Team, type TeamSetup } from './team.js';
import type { TeamState } from './team-state.js';

// Replicas that share the optimiser's moments out between them, beside those that each have all of them.

let data: TestData;
beforeAll(async () => {
  data = await testData();
});
afterAll(() => data.remove());

const STEPS = 20;
/** Clips every gradient: those of this model are longer. */
const CLIPPED = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, clip: 0.3 };

const joint = (changes: Partial<TeamSetup>): Partial<TeamSetup> => ({
  ...{ replicas: 3, exchange: 'gradients', stepsPerRound: 1, optimizer: CLIPPED },
  ...changes,
});

function muonOf(): NonNullable<TeamSetup['optimizer']['muon']> {
  const { layout } = tinyModel(data.vocabulary);
  const layers = layout.entries
    .filter(({ name }) => /\.\d+\..*\.weight$/.test(name))
    .map(({ name }) => ({ name: name.replace(/\.weight$/, '') }));
  return { momentum: 0.95, matrices: muonMatrices(layout, layers) };
}

async function start(changes: Partial<TeamSetup>, state: TeamState = firstTeamState(data)) {
  const replicas: ReplicaHandle[] = [];
  const { layout } = tinyModel(data.vocabulary);
  const team = await Team.start(tinySetup(data, changes), layout, state, () => {
    const replica = replicaHere();
    replicas.push(replica);
    return replica;
  });
  return { team, replicas };
}

/** Losses and norms of some steps. */
async function curve({ rounds }: Team, from = 0, to = STEPS): Promise<number[][]> {
  const figures: number[][] = [];
  for (let step = from; step < to; step++)
    await rounds.runRound(step, 1, ({ loss, gradientNorm }) => figures.push([loss, gradientNorm]));
  return figures;
}

/** What a team of such a setup learns, and where it ends. */
async function learned(changes: Partial<TeamSetup>) {
  const { team } = await start(joint(changes));
  const figures = await curve(team);
  const state = structuredClone(await team.state());
  await team.close();
  return { figures, state };
}

describe('replicas that share moments out', () => {
  it.each([
    ['AdamW', () => CLIPPED],
    ['Muon', () => ({ ...CLIPPED, muon: muonOf() })],
    ['moments in 16 bits', () => ({ ...CLIPPED, moments: { precision: 'bf16', seed: 3 } as const })],
  ] as const)('learn to the bit what they would with all of them, by %s', async (_, optimizerOf) => {
    const optimizer = optimizerOf();
    const [whole, shared] = [await learned({ optimizer }), await learned({ optimizer, sharded: true })];
    expect(whole.figures.every(([, norm]) => norm! > CLIPPED.clip)).toBe(true);
    expect(shared.figures).toEqual(whole.figures);
    expect(shared.state).toEqual(whole.state);
    // It did learn.
    expect(shared.figures.at(-1)![0]).toBeLessThan(shared.figures[0]![0]! - 0.2);
  });

  it('have the moments once between them, where each had all of them', async () => {
    const { size } = tinyModel(data.vocabulary).layout;
    const held = async (sharded: boolean) => {
      // What each replica is given to keep, of a state that has moments.
      const given: number[] = [];
      const moment = () => new Float32Array(size);
      const state = { ...firstTeamState(data), moments: [{ moment1: moment(), moment2: moment() }] };
      const changes = joint({ sharded, optimizer: { ...CLIPPED, muon: muonOf() } });
      const team = await Team.start(tinySetup(data, changes), tinyModel(data.vocabulary).layout, state, () => {
        const replica = replicaHere();
        const ask: ReplicaHandle['ask'] = (name, input, onStep) => {
          if (name === 'load') {
            const { moment1, moment2 } = input as ReplicaState;
            given.push(lengthOf(moment1!) + lengthOf(moment2!));
          }
          return replica.ask(name, input, onStep);
        };
        return { ...replica, ask };
      });
      // It would refuse moments that are not as long as its own.
      await curve(team, 0, 2);
      await team.close();
      return given;
    };
    expect(await held(false)).toEqual([2 * size, 2 * size, 2 * size]);
    const shares = await held(true);
    expect(shares.reduce((sum, share) => sum + share)).toBe(2 * size);
    // No cut goes through a matrix, the largest of which are 3 × 16 × 16 and 4 × 16 × 16.
    for (const share of shares) expect(Math.abs(share - (2 * size) / 3)).toBeLessThanOrEqual(2 * 4 * 16 * 16);
  });

  it('leave a state from which any number of replicas goes on, each with its own or all of them', async () => {
    const { team } = await start(joint({ sharded: true }));
    await curve(team, 0, 5);
    const saved = structuredClone(await team.state());
    const expected = await curve(team, 5);
    await team.close();
    const goneOn = async (changes: Partial<TeamSetup>, state: TeamState) => {
      const again = await start(joint(changes), structuredClone(state));
      const figures = await curve(again.team, 5);
      await again.team.close();
      return figures;
    };
    expect(await goneOn({ sharded: true }, saved)).toEqual(expected);
    expect(await goneOn({}, saved)).toEqual(expected);
    const anew = { ...saved, samplers: [] };
    expect(await goneOn({ replicas: 2, sharded: true }, anew)).toEqual(await goneOn({ replicas: 2 }, anew));
  });

  it('change nothing by a gradient that is not finite, and say so', async () => {
    const setup = tinySetup(data, joint({ sharded: true }));
    const { team, replicas } = await start(setup);
    const before = (await team.parameters()).slice();
    const [own] = shardsOf(setup, before.length);
    await replicas[0]!.ask('train', { step: 0, steps: 1 });
    const others = [1, 2].map(() => new Float32Array(own!.end).fill(Number.NaN));
    const { squares } = await replicas[0]!.ask('merge', {
      weights: [1, 1, 1],
      total: 96,
      parts: [undefined, ...others],
    });
    expect(squares).toBeNaN();
    const { parts } = await replicas[0]!.ask('update', { step: 0, squares: squares! });
    expect(parts[1]).toEqual(before.subarray(0, own!.end));
    const { gradientNorm } = await replicas[0]!.ask('take', { step: 0, parts: [], squares: squares! });
    expect(gradientNorm).toBeNaN();
    expect(await team.parameters()).toEqual(before);
    await team.close();
  });
});
