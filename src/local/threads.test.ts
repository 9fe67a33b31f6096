import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstTeamState, replicaHere, type TestData, testData, tinyModel, tinySetup } from './local.test-support.js';
import type { ReplicaCommands, ReplicaTrained, StepDone } from './messages.js';
import type { ReplicaHandle } from './replica-thread.js';
import { Team, type TeamSetup } from './team.js';
import { DivergedError, type JointStep, ThreadRounds } from './threads.js';

let data: TestData;
beforeAll(async () => {
  data = await testData();
});
afterAll(() => data.remove());

async function train(changes: Partial<TeamSetup>, rounds: readonly number[], start = replicaHere) {
  const team = await Team.start(tinySetup(data, changes), tinyModel(data.vocabulary).layout, firstTeamState(data), () =>
    start(),
  );
  const steps: JointStep[] = [];
  let step = 0;
  try {
    for (const length of rounds) {
      await team.rounds.runRound(step, length, (done) => steps.push(done));
      step += length;
    }
    const { parameters } = await team.state();
    return { steps, losses: steps.map(({ loss }) => loss), parameters, round: team.rounds.round };
  } finally {
    await team.close();
  }
}

const two = { replicas: 2, exchange: 'parameters' } as const;

/** The largest difference relative to the largest expected value. */
function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [worst, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!));
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return worst / largest;
}

describe('rounds between replicas', () => {
  it('commit one after the other, also a short last one', async () => {
    const { steps, round } = await train(two, [5, 5, 2]);
    expect(round).toBe(3);
    expect(steps.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(steps.at(-1)!.loss).toBeLessThan(steps[0]!.loss - 0.1);
  });

  it.each([1, 3])('give the same bits again with %i replicas, whoever is faster', async (replicas) => {
    const changes = { ...two, replicas, exchange: replicas === 1 ? 'nothing' : 'parameters' } as const;
    let delay = 0;
    const slowed = () => {
      const inner = replicaHere();
      const wait = 20 * delay++;
      const ask: ReplicaHandle['ask'] = async (name, input, onStep) => {
        const answer = await inner.ask(name, input, onStep);
        if (name === 'train') await new Promise((resolve) => setTimeout(resolve, 60 - wait));
        return answer;
      };
      return { ...inner, ask };
    };
    const [a, b] = [await train(changes, [5, 5]), await train(changes, [5, 5], slowed)];
    expect(b.losses).toEqual(a.losses);
    expect(b.parameters).toEqual(a.parameters);
  });

  it('average gradients after every step: as one replica with the joint batch', async () => {
    const changes = { replicas: 2, exchange: 'gradients', batchSize: 3 } as const;
    const pair = await train(changes, new Array(12).fill(1));
    const joint = await train({ batchSize: 6 }, [12]);
    expect(difference(pair.losses, joint.losses)).toBeLessThan(1e-5);
    expect(difference(pair.parameters, joint.parameters)).toBeLessThan(1e-4);
    const norms = (of: typeof pair) => of.steps.map(({ gradientNorm }) => gradientNorm);
    expect(difference(norms(pair), norms(joint))).toBeLessThan(1e-4);
    expect(Math.max(...norms(joint))).toBeGreaterThan(1);
  });

  it('average gradients of several micro-batches alike', async () => {
    const pair = await train({ replicas: 2, exchange: 'gradients', batchSize: 2, gradAccum: 3 }, [1, 1, 1]);
    const joint = await train({ batchSize: 4, gradAccum: 3 }, [3]);
    expect(difference(pair.parameters, joint.parameters)).toBeLessThan(1e-4);
  });

  it('take the plain average: with one step a round and kept moments it is the mean of the two', async () => {
    const outer = { method: 'average', learningRate: 1, momentum: 0 } as const;
    const pair = await train({ ...two, outer, averageMoments: false }, [1]);
    const shards: Float32Array[] = [];
    // What each of the two would have alone: replicas 1 and 2 of a team whose other never trains with them.
    for (const replica of [0, 1]) {
      const handle = replicaHere();
      const { run: _run, stepsPerRound: _syncEvery, ...shared } = tinySetup(data, two);
      await handle.ask('init', { ...shared, replica });
      await handle.ask('load', { parameters: firstTeamState(data).parameters });
      await handle.ask('train', { step: 0, steps: 1 });
      const request = { parameters: true, moments: false, outerMomentum: false };
      shards.push((await handle.ask('snapshot', request)).parameters!);
      await handle.close();
    }
    const mean = shards[0]!.map((value, i) => (value + shards[1]![i]!) / 2);
    expect(difference(shards[0]!, shards[1]!)).toBeGreaterThan(1e-4);
    expect(difference(pair.parameters, mean)).toBeLessThan(1e-6);
  });

  it.each([
    ['plain average', { outer: { method: 'average', learningRate: 1, momentum: 0 } }],
    ['kept moments', { averageMoments: false }],
    ['another outer rate', { outer: { method: 'nesterov', learningRate: 0.5, momentum: 0.7 } }],
    ['another momentum', { outer: { method: 'nesterov', learningRate: 0.7, momentum: 0.3 } }],
  ] satisfies [string, Partial<TeamSetup>][])('differ with %s', async (_name, changes) => {
    const [usual, other] = [await train(two, [4, 4]), await train({ ...two, ...changes }, [4, 4])];
    expect(other.losses.slice(0, 4)).toEqual(usual.losses.slice(0, 4));
    expect(difference(other.parameters, usual.parameters)).toBeGreaterThan(1e-4);
  });
});

it('end with or without a round', async () => {
  for (const rounds of [0, 1]) {
    const team = await Team.start(tinySetup(data, two), tinyModel(data.vocabulary).layout, firstTeamState(data), () =>
      replicaHere(),
    );
    for (let i = 0; i < rounds; i++) await team.rounds.runRound(0, 1);
    await team.rounds.stop();
    await expect(team.rounds.runRound(1, 1)).rejects.toThrow('stopped');
    await team.close();
  }
});

describe('what goes wrong', () => {
  it('stops everyone when a loss is not finite, and says where', async () => {
    const broken = () => {
      const inner = replicaHere();
      let rounds = 0;
      const ask: ReplicaHandle['ask'] = (name, input, onStep) => {
        if (name !== 'train' || ++rounds < 2) return inner.ask(name, input, onStep);
        const fault = { step: 6, loss: Number.NaN, gradientNorm: 0 };
        return Promise.resolve({ fault } as unknown as ReplicaTrained) as never;
      };
      return { ...inner, ask };
    };
    let count = 0;
    const failure = train(two, [5, 5], () => (count++ === 1 ? broken() : replicaHere()));
    await expect(failure).rejects.toThrow('Training has diverged: in step 7 the loss is NaN on replica-2.');
    await expect(failure).rejects.toBeInstanceOf(DivergedError);
  });

  it('refuses parameters that are not finite though the losses were', async () => {
    const outer = { ...two, optimizer: { ...tinySetup(data).optimizer, clip: 0 } };
    const schedule = { peak: 1e38, final: 1e38, warmup: 0, steps: 10 };
    for (const exchange of [outer, { ...outer, replicas: 1, exchange: 'nothing' }] as const) {
      await expect(train({ ...exchange, schedule }, [1])).rejects.toThrow(
        'by step 1 the parameters of replica-1 are not finite',
      );
    }
  });

  it('waits for the others before it passes a failure on', async () => {
    let running = 0;
    const slow = () => {
      const inner = replicaHere();
      const ask: ReplicaHandle['ask'] = async (name, input, onStep) => {
        if (name !== 'train') return inner.ask(name, input, onStep);
        running++;
        try {
          return await inner.ask(name, { step: 0, steps: 10_000 } as typeof input, onStep);
        } finally {
          running--;
        }
      };
      return { ...inner, ask };
    };
    const failing = () => ({
      ...replicaHere(),
      ask: ((name: string) =>
        name === 'load'
          ? Promise.resolve('hash')
          : name === 'train'
            ? Promise.reject(new Error('gone'))
            : Promise.resolve(null)) as never,
    });
    const replicas = [slow(), failing()];
    const { run: _run, stepsPerRound: _syncEvery, ...shared } = tinySetup(data, two);
    await replicas[0]!.ask('init', { ...shared, replica: 0 });
    const hash = await replicas[0]!.ask('load', { parameters: firstTeamState(data).parameters });
    const rounds = new ThreadRounds({
      run: 'test',
      replicas,
      hashes: [hash, hash],
      layout: { hash: 'layout', length: 1 },
      committed: { round: 0, hash },
      exchange: 'parameters',
      stepsPerRound: 10_000,
    });
    await expect(rounds.runRound(0, 10_000)).rejects.toThrow('gone');
    expect(running).toBe(0);
    await replicas[0]!.close();
  });

  it('heals a replica whose parameters differ after a commit', async () => {
    let heals = 0;
    const forgetful = () => {
      const inner = replicaHere();
      let takes = 0;
      const ask = async (name: keyof ReplicaCommands, input: never, onStep?: (step: StepDone) => void) => {
        if (name === 'load') heals++;
        const answer = await inner.ask(name, input, onStep);
        // As if a bit had flipped on its way.
        return name === 'take' && takes++ === 0 ? { ...(answer as object), hash: 'other' } : answer;
      };
      return { ...inner, ask } as ReplicaHandle;
    };
    let count = 0;
    const healed = await train(two, [3, 3], () => (count++ === 1 ? forgetful() : replicaHere()));
    expect(heals).toBe(2);
    expect(healed.parameters).toEqual((await train(two, [3, 3])).parameters);
  });
});
