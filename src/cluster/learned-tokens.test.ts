import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { startTraining } from '../local/train.js';
import { Model } from '../model/model.js';
import { createObjective } from '../objectives/create.js';
import type { TrainOptions } from '../run/options.js';
import { initialParameters } from '../run/start-vectors.js';
import type { DataTask } from '../run/task.js';
import { modelThreadHere } from './cluster.test-support.js';
import { openLeaseWeights } from './coordinator/lease-weight.js';
import type { ModelSetup } from './model-thread/commands.js';

vi.setConfig({ testTimeout: 60_000 });

let folder: string;
const at = (name: string) => join(folder, name);
const OUTER = { method: 'average', learningRate: 1, momentum: 0 } as const;
const SHORT = { batchSize: 2, steps: 2, evalEvery: 2, threads: 1, seed: 5, lr: 1e-2, warmup: 1 } as const;
const SIZES = { layers: 1, width: 16, heads: 2, context: 48, tokenizer: 'bytes' } as const;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-learned-'));
  // Answers from one byte to forty: what replicas learn from differs a lot.
  const rows = Array.from({ length: 40 }, (_, i) => ({
    prompt: `${i % 7}?`,
    completion: 'x'.repeat(1 + ((i * i) % 40)),
  }));
  await writeFile(at('rows.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
});
afterAll(() => rm(folder, { recursive: true }));

/** A run of two threads that exchange after two steps; and what its members between machines would be set up with. */
async function onThreads(run: string, options: Partial<TrainOptions>) {
  const exchange = { replicas: 2, syncEvery: 2, outer: 'average', moments: 'keep' } as const;
  const settings = { ...SHORT, ...SIZES, ...exchange, ...options, run: at(run) } as TrainOptions;
  await startTraining(settings).result;
  const { chosen } = JSON.parse(await readFile(at(`${run}/run.json`), 'utf8'));
  const file = await SafetensorsFile.open(at(`${run}/checkpoints/000002/model.safetensors`));
  const model = Model.fromConfig(chosen.model);
  const parameters = new Float32Array(model.layout.size);
  for (const [name, into] of Object.entries(model.layout.views(parameters))) into.set(await file.readFloat32(name));
  await file.close();
  const folder = at(`${run}/tokens`);
  const task: DataTask = {
    kind: 'data',
    folder,
    model: chosen.model,
    objective: chosen.objective,
    context: SIZES.context,
  };
  const setup: ModelSetup = {
    ...({ trains: true, alone: true, device: 'cpu', threads: 1, tokens: folder } as const),
    run: {
      ...{ model: chosen.model, objective: chosen.objective, context: SIZES.context },
      ...{ batchSize: 2, gradAccum: 1, seed: 5, averageMoments: false, outer: OUTER },
      ...{ optimizer: chosen.optimizer, schedule: chosen.schedule },
      cluster: { format: 'fp32', momentsFormat: 'fp32', merge: 'mean', fragments: 1, overlap: 0, mixing: 0.5 },
    },
  };
  return { model, parameters, task, setup };
}

/** The micro-batches that a replica of two has in its first two steps. */
const leaseOf = (replica: number) =>
  [0, 1].map((k) => ({ epoch: 0, start: 2 * (2 * k + replica), end: 2 * (2 * k + replica) + 2 }));

async function trained(setup: ModelSetup, first: Float32Array, lease: ReturnType<typeof leaseOf>) {
  const thread = modelThreadHere();
  await thread.ask('init', setup);
  await thread.ask('load', [first.slice()]);
  const done = (await thread.ask('train', { steps: 2, fragment: 0, position: 0, advance: 2, lease }))!;
  await thread.close();
  return done;
}

it('machines that learn from more weigh more, and come to what threads come to', async () => {
  const { model, parameters, task, setup } = await onThreads('chat', {
    corpus: [at('rows.jsonl')],
    objective: 'chat',
    unpacked: true,
  } as Partial<TrainOptions>);
  const first = initialParameters(model, 5);
  const members = [await trained(setup, first, leaseOf(0)), await trained(setup, first, leaseOf(1))];
  // Windows are all of a size; what is learned of them is not.
  const [a, b] = members.map(({ weight }) => weight) as [number, number];
  expect(members.map(({ tokens }) => tokens)).toEqual([4 * 48, 4 * 48]);
  expect(Math.max(a, b) / Math.min(a, b)).toBeGreaterThan(1.2);

  const keeper = modelThreadHere();
  await keeper.ask('init', { ...setup, trains: false });
  await keeper.ask('load', [first.slice()]);
  const norms = members.map(({ norm }) => norm);
  const weights = members.map(({ weight }) => weight / (a + b));
  const merged = members[0]!.parts.map(async (_, shard) => {
    const parts = members.map((member) => member.parts[shard]!.slice());
    return (await keeper.ask('reduce', { fragment: 0, shard, parts, weights, norms })) as { merged: Uint8Array };
  });
  await keeper.ask('apply', { fragment: 0, parts: (await Promise.all(merged)).map((one) => one.merged) });
  const [together] = await keeper.ask('snapshot', null);
  await keeper.close();
  const most = (of: (i: number) => number) => parameters.reduce((max, _, i) => Math.max(max, Math.abs(of(i))), 0);
  expect(most((i) => together![i]! - parameters[i]!)).toBeLessThan(1e-6);
  expect(most((i) => first[i]! - parameters[i]!)).toBeGreaterThan(1e-3);
  // A mean by steps would be another.
  const [p, q] = await Promise.all(members.map((_, i) => alone(setup, first, i)));
  expect(most((i) => (p![i]! + q![i]!) / 2 - parameters[i]!)).toBeGreaterThan(1e-4);
  // The coordinator knows the weights without being told.
  const objective = createObjective(task.objective, { model, context: SIZES.context, seed: 5 });
  const known = await openLeaseWeights(objective, task, 5);
  expect([0, 1].map((replica) => known.weigh(leaseOf(replica)))).toEqual([a, b]);
  known.close();
});

/** The parameters that a member comes to by itself. */
async function alone(setup: ModelSetup, first: Float32Array, replica: number): Promise<Float32Array> {
  const thread = modelThreadHere();
  await thread.ask('init', setup);
  await thread.ask('load', [first.slice()]);
  const work = { steps: 2, fragment: 0, position: 0, advance: 2, lease: leaseOf(replica) };
  const { parts, norm } = (await thread.ask('train', work))!;
  const sums = parts.map(async (part, shard) => {
    const one = { fragment: 0, shard, parts: [part.slice()], weights: [1], norms: [norm] };
    return ((await thread.ask('reduce', one)) as { merged: Uint8Array }).merged;
  });
  await thread.ask('apply', { fragment: 0, parts: await Promise.all(sums) });
  const [parameters] = await thread.ask('snapshot', null);
  await thread.close();
  return parameters!;
}

it.each([
  ['masked words', { objective: 'masked', model: 'bert', tokenizer: 'bytes' }],
  ['spans', { objective: 'seq2seq', model: 't5', tokenizer: 'bpe', vocab: 400 }],
])('what a member learns from is what the coordinator reads of its samples: %s', async (name, options) => {
  const source = new URL('../../examples/tinyshakespeare.txt', import.meta.url);
  await writeFile(at('text.txt'), (await readFile(source, 'utf8')).slice(0, 20_000));
  const { model, task, setup } = await onThreads(name, {
    corpus: [at('text.txt')],
    ...options,
  } as Partial<TrainOptions>);
  const objective = createObjective(task.objective, { model, context: SIZES.context, seed: 5 });
  const known = await openLeaseWeights(objective, task, 5);
  // Across an epoch's end, where the same windows are masked elsewhere.
  const lease = [
    { epoch: 0, start: 3, end: 5 },
    { epoch: 1, start: 3, end: 5 },
  ];
  const { weight } = await trained(setup, initialParameters(model, 5), lease);
  expect(known.weigh(lease)).toBe(weight);
  known.close();
});
