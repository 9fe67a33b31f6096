import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../base/hash.js';
import { Model } from '../model/model.js';
import { CAUSAL, createObjective } from '../objectives/create.js';
import { initialParameters } from '../run/start-vectors.js';
import { ParameterReader, setParameters } from '../training/streamed/parameter-pieces.js';
import { shardsOfSection } from '../training/streamed/sharded/sharded-sections.js';
import { CONTEXT, replicaHere, type TestData, testData, tinySetup } from './local.test-support.js';
import { type ReplicaHandle, startReplicaThread } from './replica-thread.js';
import { ShardedTeam } from './sharded-team.js';
import { Team, type TeamSetup } from './team.js';
import type { TeamState } from './team-state.js';

// Replicas that have a share of the model each, beside those that each have all of it.

let data: TestData;
beforeAll(async () => {
  data = await testData();
});
afterAll(() => data.remove());

const STEPS = 20;
/** What a replica answers that has taken no step. */
const HASH = sha256('a model in shards, 0');
/** Clips every gradient: those of this model are longer. */
const optimizer = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, clip: 0.3 };

/** Of two layers of odd widths, which no number of replicas divides. */
function modelOf(family: string, more: object = {}): Model {
  const sizes = { layers: 2, width: 20, heads: 2, keyValueHeads: 2, context: CONTEXT };
  const { config } = Model.create(family, { ...sizes, vocabulary: data.vocabulary });
  return Model.fromConfig({ ...(config as object), ...more });
}

const learnedOf = (model: Model) => createObjective(CAUSAL, { model, context: CONTEXT, seed: 5 });

function setupOf(model: Model, changes: Partial<TeamSetup>): TeamSetup {
  const task = { kind: 'data', folder: data.tokens, model: model.config, objective: CAUSAL, context: CONTEXT } as const;
  return tinySetup(data, { task, optimizer, stepsPerRound: 1, replicas: 3, ...changes });
}

const firstState = (model: Model): TeamState => ({
  round: 0,
  parameters: initialParameters(model, 5),
  moments: [],
  samplers: [],
});

/** Losses and norms of some steps. */
async function curve({ rounds }: Pick<Team, 'rounds'>, from = 0, to = STEPS): Promise<[number, number][]> {
  const figures: [number, number][] = [];
  for (let step = from; step < to; step++)
    await rounds.runRound(step, 1, ({ loss, gradientNorm }) => figures.push([loss, gradientNorm]));
  return figures;
}

/** Validation samples, fewer than would come out even. */
const HELD = [0, 8, 16, 24, 32, 40, 48];

async function learnedWhole(model: Model, changes: Partial<TeamSetup>) {
  const setup = setupOf(model, { exchange: 'gradients', ...changes });
  const team = await Team.start(setup, model.layout, firstState(model), () => replicaHere());
  const figures = await curve(team);
  const held = await team.evaluate(HELD);
  const { parameters } = structuredClone(await team.state());
  await team.close();
  return { figures, held, parameters };
}

async function startShared(
  model: Model,
  changes: Partial<TeamSetup>,
  wrap: (replica: ReplicaHandle, i: number) => ReplicaHandle = (replica) => replica,
) {
  let count = 0;
  const start = () => wrap(replicaHere(), count++);
  return ShardedTeam.start(setupOf(model, changes), { learned: learnedOf(model), state: firstState(model) }, start);
}

/** The parameters that a team has written of itself. */
async function parametersOf(team: ShardedTeam, model: Model): Promise<Float32Array> {
  await team.settled();
  const reader = new ParameterReader(team.shards, team.sections);
  const vector = new Float32Array(model.layout.size);
  for (const { name, offset } of model.layout.entries) {
    let at = offset;
    for await (const values of reader.values(name)) {
      vector.set(values, at);
      at += values.length;
    }
  }
  return vector;
}

const apart = (a: number, b: number) => Math.abs(a / b - 1);

function distance(a: Float32Array, b: Float32Array): number {
  let [difference, length] = [0, 0];
  for (const [i, value] of b.entries()) {
    difference += (a[i]! - value) ** 2;
    length += value ** 2;
  }
  return Math.sqrt(difference / length);
}

describe.each([2, 3] as const)('replicas that share out by stage %i of ZeRO', (stage) => {
  it.each([
    ['gpt2', {}, { replicas: 3 }],
    ['llama', { tie_word_embeddings: false }, { replicas: 2, gradAccum: 3 }],
    ['qwen3', { tie_word_embeddings: true }, { replicas: 5, gradAccum: 2, batchSize: 1 }],
  ] as const)('learn what those learn that have all of it: %s %j %j', async (family, more, changes) => {
    const model = modelOf(family, more);
    const whole = await learnedWhole(model, changes);
    const team = await startShared(model, { ...changes, stage });
    const figures = await curve(team);
    expect(figures).toHaveLength(STEPS);
    for (const [i, [loss, norm]] of figures.entries()) {
      expect(apart(loss, whole.figures[i]![0])).toBeLessThan(1e-5);
      expect(apart(norm, whole.figures[i]![1])).toBeLessThan(1e-3);
      expect(norm).toBeGreaterThan(optimizer.clip);
    }
    expect(figures.at(-1)![0]).toBeLessThan(figures[0]![0] - 0.2);
    const { loss } = await team.evaluate(HELD);
    expect(apart(loss, whole.held.loss)).toBeLessThan(1e-5);
    // Fewer than there are replicas.
    expect((await team.evaluate([0])).loss).toBeGreaterThan(0);
    expect(distance(await parametersOf(team, model), whole.parameters)).toBeLessThan(1e-4);
    await team.close();
  });

  it('come to the same bits every time, at whatever pace each replica goes', async () => {
    const model = modelOf('gpt2');
    const run = async (late: (i: number) => number) => {
      const team = await startShared(model, { stage }, (replica, i) => {
        const ask: ReplicaHandle['ask'] = async (...command) => {
          await new Promise((resolve) => setTimeout(resolve, late(i)));
          return replica.ask(...command);
        };
        return { ...replica, ask };
      });
      const figures = await curve(team, 0, 6);
      const parameters = await parametersOf(team, model);
      await team.close();
      return { figures, parameters };
    };
    expect(await run((i) => 3 * i)).toEqual(await run((i) => 6 - 3 * i));
  });

  it('have all but the parameters once between them, and those by the stage', async () => {
    const model = modelOf('gpt2');
    const asked: number[] = [];
    const team = await startShared(model, { stage }, (replica) => {
      const ask: ReplicaHandle['ask'] = (name, input, onStep) => {
        const values = (input as { values?: Float32Array } | null)?.values;
        if (name === 'shard' && values) asked.push(values.length);
        return replica.ask(name, input, onStep);
      };
      return { ...replica, ask };
    });
    asked.length = 0;
    const sizes = team.sections.map(({ size }) => size);
    const all = sizes.reduce((sum, size) => sum + size);
    for (const [section, size] of sizes.entries())
      for (const vector of ['parameters', 'gradient', 'moment1', 'moment2'] as const)
        await team.shards.save(new Float32Array(size), section, vector);
    // It would refuse an array that is not as long as its own.
    expect(asked.reduce((sum, size) => sum + size)).toBe((stage === 3 ? 4 : 3 + 3) * all);
    await team.close();
  });

  it('end with the error of one that dies in a step, all of them', async () => {
    const model = modelOf('gpt2');
    let asked = 0;
    const team = await startShared(model, { stage }, (replica, i) => {
      const ask: ReplicaHandle['ask'] = (name, input, onStep) => {
        if (i === 1 && name === 'train' && asked++ === 2) return Promise.reject(new Error("A replica's thread ended."));
        return replica.ask(name, input, onStep);
      };
      return { ...replica, ask };
    });
    await curve(team, 0, 2);
    await expect(curve(team, 2, 3)).rejects.toThrow("A replica's thread ended.");
    // None waits.
    await team.close();
  });

  it('end when the thread of one ends, wherever the others wait for it', async () => {
    const file = join(data.folder, `dying-${stage}.mjs`);
    // It begins as a replica does and is gone in its first step.
    await writeFile(
      file,
      `import { parentPort } from 'node:worker_threads';
       const answers = { init: null, load: ${JSON.stringify(HASH)}, shard: { values: new Float32Array(0) }, close: null };
       parentPort.on('message', ({ id, name }) => {
         if (name === 'train') process.exit(7);
         if (id !== undefined) parentPort.postMessage({ id, output: answers[name] });
         if (name === 'close') parentPort.close();
       });`,
    );
    const model = modelOf('gpt2');
    const team = await startShared(model, { stage }, (replica, i) =>
      i === 2 ? startReplicaThread(pathToFileURL(file)) : replica,
    );
    await expect(curve(team, 0, 1)).rejects.toThrow("A replica's thread ended with code 7.");
    await team.close();
  });

  it('tell of a loss that is not finite', async () => {
    const model = modelOf('gpt2');
    const team = await startShared(model, { stage });
    const values = new Float32Array(20).fill(Number.NaN);
    const name = model.layout.entries.find((entry) => entry.name.endsWith('ln_f.bias'))!.name;
    await setParameters(team.shards, team.sections, [{ name, from: 0, values }]);
    await expect(curve(team, 0, 1)).rejects.toThrow('diverged');
    await team.close();
  });
});

it('cuts sections as evenly as can be', () => {
  for (const size of [0, 1, 5, 12, 1000])
    for (const ranks of [1, 2, 3, 7]) {
      const shards = shardsOfSection({ size }, ranks);
      const lengths = shards.map(({ start, end }) => end - start);
      expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1);
      expect(shards.map(({ start }) => start)).toEqual([0, ...shards.slice(0, -1).map(({ end }) => end)]);
      expect(shards.at(-1)!.end).toBe(size);
    }
});
