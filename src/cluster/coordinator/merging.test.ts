import { expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import type { Merge } from '../../rounds/index.js';
import { MemoryNetwork } from '../../transport/memory-transport.test-support.js';
import type { ModelHandle } from '../model-thread/commands.js';
import type { ReduceMessage } from '../protocol/down.js';
import { putParts } from '../protocol/manifest.js';
import { contextOf, hashOf } from './coordinator.test-support.js';
import { Keeper } from './keeper.js';
import { Merging } from './merging.js';
import type { RunState } from './run-state.js';
import type { RunInput } from './step-run.js';

/** A merge of one contribution in one shard, which its sender is to reduce. */
async function merging(
  apply: () => Promise<unknown> = async () => ({ hash: hashOf(4), parts: [Uint8Array.of(3)] }),
  beside: readonly { readonly worker: string; readonly credit: number | null }[] = [],
) {
  const { blobs } = new MemoryNetwork().connect().transport;
  const manifest = await putParts(blobs, 'a/c/1/0', [Uint8Array.of(3)]);
  const contribution = { worker: 'a', incarnation: 0, contentHash: manifest.hash, weight: 8, norm: 1 };
  const contributions = [...beside.map(({ worker }) => ({ ...contribution, worker })), contribution];
  const base = { round: 0, hash: hashOf(0) };
  const merge = { type: 'merge', round: 1, base, contributions, totalTokens: 8 } as unknown as Merge;
  const state = {
    rounds: { workers: [...beside, { worker: 'a', credit: 1 }].map((one) => ({ ...one, incarnation: 0 })) },
    opening: { contributions: contributions.map(({ worker }) => ({ worker, manifest })) },
  } as unknown as RunState;
  const ask = async (name: string) => (name === 'apply' ? apply() : { merged: Uint8Array.of(3), squares: [1] });
  const thread = { ask, close: async () => {} } as unknown as ModelHandle;
  const [sent, ended, failed]: [(ReduceMessage & { to: string })[], RunInput[], unknown[]] = [[], [], []];
  const it = new Merging({
    context: contextOf(),
    keeper: await Keeper.start(thread, undefined as never, 1, 1, [[1]]),
    ...{ blobs, shards: [1], patience: 10_000, state: () => state, refuse: () => {} },
    ...{ evict: () => {}, exchange: { merge: 'mean', format: 'fp32' }, double: false },
    send: (worker, message) => void sent.push({ ...message, to: worker }),
    onEnd: (input) => void ended.push(input),
    onFailure: (error) => void failed.push(error),
  });
  const until = async (done: () => boolean) => {
    while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const deliver = async () => {
    await until(() => sent.length > 0);
    const { round, attempt } = sent.at(-1)!;
    const result = await blobs.put(`a/r/${round}/${attempt}/0`, Uint8Array.of(3));
    it.hear({ type: 'reduced', run: 'r', worker: 'a', incarnation: 0, round, attempt, shard: 0, result, squares: [1] });
  };
  return { it, merge, sent, ended, failed, deliver, until };
}

it('tells of the end once, however often the merge is asked for, and keeps the result until it is taken', async () => {
  const { it, merge, ended, deliver, until } = await merging();
  expect(() => it.merged).toThrow('no merge has ended');
  it.start(merge);
  it.start(merge);
  await deliver();
  await until(() => ended.length > 0);
  expect(ended).toMatchObject([{ type: 'merged', event: { round: 1, hash: hashOf(4) } }]);
  expect(it.merged.parts).toEqual([Uint8Array.of(3)]);
  expect(it.take().begunAt).toBeGreaterThan(0);
  expect(() => it.take()).toThrow('no merge has ended');
});

it('has no newcomer sum beside who has contributed before', async () => {
  const known = await merging(undefined, [{ worker: 'newcomer', credit: null }]);
  known.it.start(known.merge);
  await known.until(() => known.sent.length > 0);
  expect(known.sent.map(({ to }) => to)).toEqual(['a']);
  known.it.stop();
});

it('begins anew for other contributions, and is silent when it is stopped', async () => {
  const { it, merge, sent, ended, until } = await merging();
  it.start(merge);
  await until(() => sent.length > 0);
  const fewer = { ...merge, contributions: [{ ...merge.contributions[0]!, weight: 4 }] };
  it.start(fewer);
  await until(() => sent.length > 1);
  expect(sent[1]!.attempt).not.toBe(sent[0]!.attempt);
  it.stop();
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(ended).toEqual([]);
});

it('tells a merge that is not possible from what should never fail', async () => {
  const impossible = await merging(async () => {
    throw new MeanfieldError('it cannot be decoded');
  });
  impossible.it.start(impossible.merge);
  await impossible.deliver();
  await impossible.until(() => impossible.ended.length > 0);
  const event = { type: 'mergeFailed', round: 1, reason: 'it cannot be decoded', workers: [] };
  expect(impossible.ended).toEqual([{ type: 'event', event }]);
  const broken = await merging(async () => {
    throw new Error('a bug');
  });
  broken.it.start(broken.merge);
  await broken.deliver();
  await broken.until(() => broken.failed.length > 0);
  expect(broken.ended).toEqual([]);
});
