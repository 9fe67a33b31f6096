import { afterAll, expect, it } from 'vitest';
import { CommittedModel } from '../../averaging/committed.js';
import type { Fragment } from '../../averaging/fragments.js';
import { createEngine } from '../../engine/node/create.js';
import type { RunSetup } from '../protocol/configuration.js';
import { Exchange } from './exchange.js';

const engine = await createEngine('cpu');
const fragments: Fragment[] = [
  {
    start: 0,
    end: 3,
    shards: [
      { start: 0, end: 1 },
      { start: 1, end: 3 },
    ],
  },
  { start: 3, end: 4, shards: [{ start: 3, end: 4 }] },
];
const all: Exchange[] = [];
afterAll(async () => {
  for (const exchange of all) await exchange.dispose();
});

function machine(changes: Partial<RunSetup> = {}) {
  const averageMoments = changes.averageMoments ?? false;
  const committed = new CommittedModel(4, fragments, { momentum: true, moments: averageMoments });
  const ones = () => new Float32Array(4).fill(1);
  committed.load(averageMoments ? [ones(), new Float32Array(4), ones(), ones()] : [ones(), new Float32Array(4)]);
  const setup = {
    outer: { method: 'nesterov', learningRate: 0.5, momentum: 0.5 },
    averageMoments,
    optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, clip: 0 },
    cluster: { format: 'fp32', momentsFormat: 'bf16', merge: 'mean', fragments: 2, mixing: 0.25 },
    ...changes,
  } as unknown as RunSetup;
  const exchange = new Exchange(engine, setup, fragments, committed);
  all.push(exchange);
  return { committed, exchange };
}

const local = (value: number) => ({
  parameters: new Float32Array(4).fill(value),
  moment1: new Float32Array(4).fill(2 * value),
  moment2: new Float32Array(4).fill(4 * value),
});

it('brings contributions together into the same step on every machine', async () => {
  const machines = [machine(), machine()];
  const contributions = [
    (await machines[0]!.exchange.encode(0, local(0))).parts,
    (await machines[1]!.exchange.encode(0, local(0.5))).parts,
  ];
  const results: Uint8Array[] = [];
  for (const shard of [0, 1]) {
    const parts = contributions.map((parts) => parts[shard]!);
    const answers = await Promise.all(
      machines.map(({ exchange }) =>
        exchange.reduce({ fragment: 0, shard, parts, weights: [0.75, 0.25], norms: [2, 1] }),
      ),
    );
    expect(answers[0]).toEqual(answers[1]);
    results.push((answers[0] as { merged: Uint8Array }).merged);
  }
  for (const { exchange } of machines) await exchange.apply({ fragment: 0, parts: results });
  const { parameters, momentum } = machines[0]!.committed.vectors;
  // g = 0.75 · 1 + 0.25 · 0.5 = 0.875; m = g; 1 − 0.5 · (g + 0.5 · m) = 0.34375. The other fragment stays.
  expect([...parameters]).toEqual([0.34375, 0.34375, 0.34375, 1]);
  expect([...momentum!]).toEqual([0.875, 0.875, 0.875, 0]);
  expect(machines[1]!.committed.hash).toBe(machines[0]!.committed.hash);
});

it('averages moments with the parameters where that is asked for', async () => {
  const { exchange, committed } = machine({ averageMoments: true });
  const parts = [await exchange.encode(1, local(0)), await exchange.encode(1, local(1))].map(({ parts }) => parts[0]!);
  const answer = await exchange.reduce({ fragment: 1, shard: 0, parts, weights: [0.5, 0.5], norms: [1, 0] });
  await exchange.apply({ fragment: 1, parts: [(answer as { merged: Uint8Array }).merged] });
  expect(committed.vectors.moments!.map((vector) => [...vector])).toEqual([
    [1, 1, 1, 1],
    [1, 1, 1, 2],
  ]);
});

it('draws local parameters of a fragment to the committed ones', async () => {
  const { exchange } = machine();
  const own = local(5);
  await exchange.mix(1, own);
  expect([...own.parameters]).toEqual([5, 5, 5, 2]);
});

it('says which contribution cannot be decoded, and changes nothing for a result that cannot', async () => {
  const { exchange, committed } = machine();
  const [good] = (await exchange.encode(1, local(0))).parts;
  const bad = good!.slice();
  bad[0]! ^= 255;
  for (const wrong of [bad, good!.subarray(1), new Uint8Array(0)]) {
    const answer = await exchange.reduce({
      fragment: 1,
      shard: 0,
      parts: [good!, wrong],
      weights: [0.5, 0.5],
      norms: [1, 1],
    });
    expect(answer).toMatchObject({ damaged: 1 });
  }
  const before = committed.hash;
  const first = (await exchange.encode(0, local(0))).parts;
  await expect(exchange.apply({ fragment: 0, parts: [first[0]!, bad] })).rejects.toThrow('bytes');
  await expect(exchange.apply({ fragment: 0, parts: [first[0]!] })).rejects.toThrow('1 parts');
  await expect(exchange.apply({ fragment: 7, parts: [] })).rejects.toThrow('2 fragments');
  await expect(exchange.reduce({ fragment: 1, shard: 5, parts: [], weights: [], norms: [] })).rejects.toThrow(
    'no shard 5',
  );
  committed.changed(0);
  expect(committed.hash).toBe(before);
});

it('says whose contribution is larger than was told', async () => {
  const { exchange } = machine();
  // The fragment's pseudo-gradient is (4, 4, 4), of norm 6.93; its second shard has two elements of it, of norm 5.66.
  const { norm, parts } = await exchange.encode(0, local(-3));
  expect(norm).toBe(Math.sqrt(48));
  const shard = parts[1]!;
  const reduce = (norm: number) =>
    exchange.reduce({ fragment: 0, shard: 1, parts: [shard, shard], weights: [0.5, 0.5], norms: [7, norm] });
  expect(await reduce(Math.sqrt(48))).toHaveProperty('merged');
  const reason = 'its shard 1 alone has the norm 5.66, but the norm of the whole was told as 0.100';
  expect(await reduce(0.1)).toEqual({ damaged: 1, reason });
});

it('carries what int4 loses into the next contribution', async () => {
  const cluster = { format: 'int4', momentsFormat: 'bf16', merge: 'mean', fragments: 2, mixing: 0.5 } as const;
  const { exchange } = machine({ cluster } as unknown as Partial<RunSetup>);
  const own = local(0);
  own.parameters.set([0, 0.7, 0.93]);
  const sent = async () => Buffer.from((await exchange.encode(0, own)).parts[1]!).toString('hex');
  const [first, second] = [await sent(), await sent()];
  expect(second).not.toBe(first);
});

it('contributes nothing where a parameter is not finite', async () => {
  const { exchange } = machine();
  for (const wrong of [Number.NaN, Number.NEGATIVE_INFINITY]) {
    const { norm, parts } = await exchange.encode(0, local(wrong));
    expect(Number.isFinite(norm)).toBe(false);
    expect(parts).toEqual([]);
  }
});
