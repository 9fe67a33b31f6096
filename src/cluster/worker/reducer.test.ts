import { expect, it } from 'vitest';
import { MemoryNetwork } from '../../transport/memory-transport.test-support.js';
import type { ModelHandle } from '../model-thread/commands.js';
import type { ReduceMessage } from '../protocol/down.js';
import { putParts } from '../protocol/manifest.js';
import { ContributionError, PartLists, reduceShard } from '../reduce-shard.js';
import { type Reduced, Reducer } from './reducer.js';

const network = new MemoryNetwork();
const { blobs } = network.connect().transport;

/** Sums first bytes by weight, times 100; 255 cannot be decoded. */
const thread = {
  ask: async (_name: string, { parts, weights }: { parts: Uint8Array[]; weights: number[] }) => {
    const damaged = parts.findIndex((part) => part[0] === 255);
    if (damaged >= 0) return { damaged, reason: 'no such format' };
    const merged = Uint8Array.of(parts.reduce((sum, part, i) => sum + part[0]! * weights[i]!, 0));
    return { merged, squares: parts.map((part) => part[0]! ** 2) };
  },
} as unknown as Pick<ModelHandle, 'ask'>;

const sizes = [[1, 1]];
const reducing = { blobs, thread, sizes };

async function message(values: readonly number[]): Promise<ReduceMessage> {
  const contributions = values.map(async (value, i) => {
    const worker = `w${i}`;
    const parts = [Uint8Array.of(value), Uint8Array.of(2 * value)];
    return { worker, weight: i + 1, norm: 1, manifest: await putParts(blobs, `${worker}/c/1/0`, parts) };
  });
  return {
    type: 'reduce',
    round: 1,
    attempt: 'x',
    fragment: 0,
    shards: [0, 1],
    contributions: await Promise.all(contributions),
  };
}

function reducer() {
  const told: Reduced[] = [];
  return { told, reducer: new Reducer({ worker: 'w0', blobs, thread, sizes, tell: (reduced) => told.push(reduced) }) };
}

it('merges each shard by tokens, stores it, and does so again when it is asked again', async () => {
  const { told, reducer: it } = reducer();
  const request = await message([30, 60]);
  await it.reduce(request, [0, 1]);
  expect(told).toMatchObject([
    { shard: 0, result: { key: 'w0/r/1/x/0' }, squares: [900, 3600] },
    { shard: 1, result: { key: 'w0/r/1/x/1' } },
  ]);
  // (1 · 30 + 2 · 60) / 3
  expect(network.blobs.get('w0/r/1/x/0')![0]).toBe(50);
  expect(network.blobs.get('w0/r/1/x/1')![0]).toBe(100);
  it.stop();
  await it.reduce(request, [1]);
  expect(told).toHaveLength(3);
  expect(told[2]).toEqual(told[1]);
});

it('names whose contribution cannot be used', async () => {
  const { told, reducer: it } = reducer();
  await it.reduce(await message([30, 255]), [0]);
  expect(told[0]).toMatchObject({ shard: 0, culprit: 'w1', reason: 'no such format' });
  const missing = await message([30, 60]);
  network.blobs.delete('w1/c/1/0/1');
  await expect(reduceShard({ ...reducing, lists: new PartLists() }, missing, 1)).rejects.toThrow(ContributionError);
  await expect(reduceShard({ ...reducing, lists: new PartLists() }, missing, 1)).rejects.toThrow(
    'shard 1 of w1 cannot be had',
  );
  await expect(reduceShard({ ...reducing, lists: new PartLists() }, missing, 9)).rejects.toThrow('no shard 9');
});

it('makes no room for parts that are not of the size that the layout gives', async () => {
  const request = await message([30, 60]);
  const tried = (parts: Uint8Array[], change: object = {}) =>
    putParts(blobs, 'w1/c/9/0', parts).then((manifest) => {
      const contributions = [
        request.contributions[0]!,
        { ...request.contributions[1]!, manifest: { ...manifest, ...change } },
      ];
      return reduceShard({ ...reducing, lists: new PartLists() }, { fragment: 0, contributions }, 0);
    });
  await expect(tried([Uint8Array.of(1)])).rejects.toThrow('names 1 parts; the model has 2');
  await expect(tried([Uint8Array.of(1), Uint8Array.of(1, 2)])).rejects.toThrow('has 2 bytes, not 1');
  await expect(tried([Uint8Array.of(1), Uint8Array.of(2)], { bytes: 2 ** 50 })).rejects.toThrow('too many for a list');
});

it('takes no part of another in the name of one', async () => {
  const request = await message([30, 60]);
  const foreign = await putParts(blobs, 'w2/c/1/0', [Uint8Array.of(9)]);
  const contributions = [{ ...request.contributions[0]!, manifest: foreign }];
  await expect(reduceShard({ ...reducing, lists: new PartLists() }, { fragment: 0, contributions }, 0)).rejects.toThrow(
    'w0',
  );
});

it('goes on with what is asked now, and says nothing of what was asked before', async () => {
  const { told, reducer: it } = reducer();
  const [old, now] = [await message([30, 60]), { ...(await message([3, 6])), attempt: 'y' }];
  await Promise.all([it.reduce(old, [0, 1]), it.reduce(now, [1])]);
  expect(told.map(({ attempt }) => attempt)).toEqual(['y']);
});
