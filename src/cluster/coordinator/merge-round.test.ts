import { expect, it } from 'vitest';
import type { Merge } from '../../rounds/index.js';
import { MemoryNetwork } from '../../transport/memory-transport.test-support.js';
import type { ModelHandle } from '../model-thread/commands.js';
import { putParts } from '../protocol/manifest.js';
import { hashOf } from './coordinator.test-support.js';
import { Keeper } from './keeper.js';
import { attemptOf, RoundMerge } from './merge-round.js';
import { MergeError } from './own-sums.js';
import { shardToCheck } from './sum-checks.js';

const network = new MemoryNetwork();
const { blobs } = network.connect().transport;

/** Reduces by taking the greatest byte; a result of 99 cannot be decoded. Applies by adding up. */
async function keeperOf(norms: (readonly number[])[] = []) {
  let sum = 0;
  const thread = {
    ask: async (name: string, input: unknown) => {
      if (name === 'init') return 0;
      const { parts } = input as { parts: Uint8Array[] };
      const values = parts.map((part) => part[0]!);
      if (name === 'reduce') return { merged: Uint8Array.of(Math.max(...values)), squares: values.map(() => 0.25) };
      norms.push((input as { norms: number[] }).norms);
      if (values.includes(99)) throw new MergeError('not decodable', []);
      sum += values.reduce((a, b) => a + b, 0);
      return { hash: hashOf(sum), parts };
    },
    close: async () => {},
  } as unknown as ModelHandle;
  return Keeper.start(thread, undefined as never, 1, 1, [[1, 1]]);
}

type Changes = { reducers?: () => string[]; patience?: number; check?: number; double?: boolean };

async function merging(changes: Changes = {}) {
  const manifests = new Map<string, Awaited<ReturnType<typeof putParts>>>();
  const contributions: Merge['contributions'][number][] = [];
  for (const [i, worker] of ['a', 'b'].entries()) {
    const manifest = await putParts(blobs, `${worker}/c/3/0`, [Uint8Array.of(1 + i), Uint8Array.of(5 + i)]);
    manifests.set(worker, manifest);
    contributions.push({ worker, incarnation: 0, contentHash: manifest.hash, weight: 8, norm: 1 } as never);
  }
  const merge: Merge = { type: 'merge', round: 3, base: { round: 2, hash: 'h' }, contributions, totalWeight: 16 };
  const asked: [string, readonly number[]][] = [];
  const norms: (readonly number[])[] = [];
  const keeper = await keeperOf(norms);
  const useless: string[] = [];
  const distrusted: string[] = [];
  const round = new RoundMerge({
    ...{ merge, fragment: 0, shards: 2, manifests, keeper, blobs, patience: 10_000, every: 20, check: null },
    distrust: (worker, reason) => void distrusted.push(`${worker}: ${reason}`),
    ...{ exchange: { merge: 'mean', format: 'fp32' } as const, double: false },
    onUseless: (worker) => void useless.push(worker),
    reducers: () => ['a', 'b'],
    send: (worker, { shards }) => void asked.push([worker, shards]),
    ...changes,
  });
  const told = { run: 'r', incarnation: 0, round: 3, attempt: round.attempt };
  const reduced = async (worker: string, shard: number, value: number, squares = [0.25, 0.25]) => {
    const result = await blobs.put(`${worker}/r/3/${round.attempt}/${shard}`, Uint8Array.of(value));
    return round.hear({ type: 'reduced', ...told, worker, shard, result, squares });
  };
  return { round, merge, asked, reduced, told, keeper, distrusted, norms, useless };
}

it('gathers what reducers made, and applies it once', async () => {
  const { round, asked, reduced, keeper } = await merging();
  const merged = round.run();
  await reduced('b', 1, 6);
  await reduced('a', 0, 2);
  expect(await merged).toMatchObject({ hash: hashOf(8), parts: [Uint8Array.of(2), Uint8Array.of(6)] });
  expect(keeper.held).toEqual({ round: 3, hash: hashOf(8) });
  expect(asked.slice(0, 2)).toEqual([
    ['a', [0]],
    ['b', [1]],
  ]);
});

it('does itself what nobody is left to do', async () => {
  const { round } = await merging({ reducers: () => [] });
  expect((await round.run()).parts.map((part) => part[0])).toEqual([2, 6]);
});

it('gives the shards of a dead reducer to another', async () => {
  let alive = ['a', 'b'];
  const { round, asked, reduced } = await merging({ reducers: () => alive });
  const merged = round.run();
  await reduced('a', 0, 2);
  alive = ['a'];
  while (!asked.some(([worker, shards]) => worker === 'a' && shards[0] === 1))
    await new Promise((resolve) => setTimeout(resolve, 5));
  await reduced('a', 1, 6);
  expect((await merged).hash).toBe(hashOf(8));
});

it('believes no accusation, but finds the damaged one itself', async () => {
  const { round, told, reduced } = await merging();
  const merged = round.run();
  expect(
    round.hear({ type: 'reduce-failed', ...told, worker: 'a', shard: 0, culprit: 'b', reason: 'says a' }),
  ).toBeNull();
  await reduced('b', 1, 6);
  // The contribution is sound: the coordinator has reduced the shard itself.
  expect((await merged).parts[0]![0]).toBe(2);

  const other = await merging();
  network.blobs.delete('b/c/3/0/0');
  const failed = other.round.run();
  other.round.hear({ type: 'reduce-failed', ...other.told, worker: 'a', shard: 0, culprit: 'b', reason: 'gone' });
  await expect(failed).rejects.toMatchObject({ name: 'MergeError', workers: ['b'] });
});

it('makes a result again that is lost, and trusts its own when one cannot be decoded', async () => {
  const { round, reduced, asked, told } = await merging();
  const merged = round.run();
  await reduced('a', 0, 2);
  const result = await blobs.put(`b/r/3/${round.attempt}/1`, Uint8Array.of(6));
  network.blobs.delete(result.key);
  round.hear({ type: 'reduced', ...told, worker: 'b', shard: 1, result, squares: [0.25, 0.25] });
  while (!asked.some(([worker, shards]) => worker === 'a' && shards[0] === 1))
    await new Promise((resolve) => setTimeout(resolve, 5));
  await reduced('a', 1, 6);
  expect((await merged).hash).toBe(hashOf(8));

  const evil = await merging();
  const believed = evil.round.run();
  await evil.reduced('a', 0, 2);
  await evil.reduced('b', 1, 99);
  expect((await believed).hash).toBe(hashOf(8));
});

it('finds a false sum by its own, and has all of that reducer done again', async () => {
  const { round, reduced, asked, distrusted } = await merging({ check: 1 });
  const merged = round.run();
  await reduced('a', 0, 2);
  await reduced('b', 1, 7);
  while (!asked.some(([worker, shards]) => worker === 'a' && shards[0] === 1))
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await reduced('b', 1, 7)).toContain('was false');
  expect(distrusted).toEqual(['b: its sum of shard 1 is not that of the contributions']);
  await reduced('a', 1, 6);
  expect((await merged).hash).toBe(hashOf(8));
  const honest = await merging({ check: 0 });
  const result = honest.round.run();
  await honest.reduced('a', 0, 2);
  await honest.reduced('b', 1, 6);
  expect((await result).hash).toBe(hashOf(8));
  expect(honest.distrusted).toEqual([]);
});

it('checks a shard in a hundred', () => {
  expect(shardToCheck(4, () => 0.041)).toBeNull();
  expect(shardToCheck(4, () => 0.039)).toBe(0);
  expect(shardToCheck(256, () => 0.999)).toBe(255);
});

it('says why a word about it does not count', async () => {
  const { round, told } = await merging();
  const result = await blobs.put('b/x/1', Uint8Array.of(1));
  const say = (changes: object) =>
    round.hear({ type: 'reduced', ...told, worker: 'a', shard: 0, result, squares: [1, 1], ...changes } as never);
  expect(say({})).toContain("not a's to give");
  expect(say({ attempt: 'other' })).toContain('round 3 is being merged');
  expect(say({ shard: 2 })).toContain('there are 2 shards');
  expect(say({ worker: 'stranger' })).toContain('has not contributed');
  const of = (key: string, changes: object = {}) => ({ result: { ...result, key, ...changes } });
  expect(say(of('a/x/1', { bytes: 2 ** 40 }))).toContain('has 1 bytes; this has');
  expect(say({ ...of('a/x/1'), squares: [1] })).toContain('the squares of 1');
  expect(say({ ...of('a/x/1'), shard: 1 })).toBe("shard 1 is not a's to reduce");
});

it('tells merges of other contributions apart', async () => {
  const { merge } = await merging();
  const [first, second] = merge.contributions;
  const other = { ...merge, contributions: [first!, { ...second!, weight: 9 }] };
  expect(attemptOf(merge)).toBe(attemptOf({ ...merge }));
  expect(attemptOf(other)).not.toBe(attemptOf(merge));
  const { round } = await merging();
  const merged = round.run();
  round.cancel();
  await expect(merged).rejects.toThrow('given up');
});

it('adds the squares of shards up, and refuses a contribution that is larger than was told', async () => {
  const honest = await merging();
  const merged = honest.round.run();
  await honest.reduced('a', 0, 2, [0.6, 0.1]);
  await honest.reduced('b', 1, 6, [0.4, 0.1]);
  await merged;
  // Σ w‖x‖ of each shard.
  expect(honest.norms).toEqual([[(Math.sqrt(0.6) + Math.sqrt(0.1)) / 2, (Math.sqrt(0.4) + Math.sqrt(0.1)) / 2]]);

  // Who says so falsely is found out: the coordinator looks itself.
  const framed = await merging();
  const result = framed.round.run();
  await framed.reduced('a', 0, 2, [0.25, 0.9]);
  await framed.reduced('b', 1, 6, [0.25, 0.25]);
  expect((await result).hash).toBe(hashOf(8));
  expect(framed.distrusted).toEqual(['a: its sum of shard 0 is not that of the contributions']);
});

it('compares the sums of two, and finds out whose is false', async () => {
  const agreed = await merging({ double: true });
  const merged = agreed.round.run();
  for (const worker of ['a', 'b']) {
    await agreed.reduced(worker, 0, 2);
    await agreed.reduced(worker, 1, 6);
  }
  expect((await merged).hash).toBe(hashOf(8));
  expect(agreed.distrusted).toEqual([]);

  const lied = await merging({ double: true });
  const found = lied.round.run();
  for (const [worker, value] of [
    ['a', 2],
    ['b', 3],
  ] as const) {
    await lied.reduced(worker, 0, value);
    await lied.reduced(worker, 1, 6);
  }
  await lied.reduced('a', 1, 6);
  expect((await found).parts.map((part) => part[0])).toEqual([2, 6]);
  expect(lied.distrusted).toEqual(['b: its sum of shard 0 is not that of the contributions']);
});
