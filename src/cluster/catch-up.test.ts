import { expect, it } from 'vitest';
import { MemoryNetwork } from '../transport/memory-transport.test-support.js';
import { catchUp, pathOf } from './catch-up.js';
import type { ModelHandle } from './model-thread/commands.js';
import type { Chain } from './protocol/down.js';
import { putParts } from './protocol/manifest.js';
import { putSnapshot } from './snapshot.js';

const network = new MemoryNetwork();
const { blobs } = network.connect().transport;

/** A model of one number that a result is added to; its hash is that number. */
function holder() {
  let value = Number.NaN;
  const asked: string[] = [];
  const ask = async (name: string, input: unknown) => {
    asked.push(name);
    if (name === 'load') value = (input as Float32Array[])[0]![0]!;
    else value += (input as { parts: Uint8Array[] }).parts[0]![0]!;
    return name === 'load' ? `h${value}` : { hash: `h${value}`, parts: [] };
  };
  const thread = { ask } as unknown as Pick<ModelHandle, 'ask'>;
  return { asked, holder: { blobs, thread, vectors: 1, length: 1, sizes: [[1]] } };
}

async function chain(): Promise<Chain> {
  const manifest = await putSnapshot(blobs, 'run/s/4', [Float32Array.of(10)]);
  const result = async (round: number, hash: string, add: number) => ({
    ...{ round, hash, fragment: 0 },
    manifest: await putParts(blobs, `w/r/${round}`, [Uint8Array.of(add)]),
  });
  return {
    snapshot: { round: 4, hash: 'h10', manifest },
    results: [await result(5, 'h11', 1), await result(7, 'h13', 2)],
  };
}

it('goes from what is held by the results since, or from the snapshot', async () => {
  const way = await chain();
  const joiner = holder();
  const seen: number[] = [];
  const held = await catchUp(joiner.holder, way, null, ({ round }) => seen.push(round));
  expect(held).toEqual({ round: 7, hash: 'h13' });
  expect(seen).toEqual([4, 5, 7]);
  expect(joiner.asked).toEqual(['load', 'apply', 'apply']);
  const member = holder();
  await member.holder.thread.ask('load', [Float32Array.of(11)]);
  expect(await catchUp(member.holder, way, { round: 5, hash: 'h11' })).toEqual({ round: 7, hash: 'h13' });
  expect(member.asked).toEqual(['load', 'apply']);
});

it('begins anew from the snapshot where what is held is wrong or unknown', async () => {
  const way = await chain();
  expect(pathOf(way, { round: 5, hash: 'other' })).toEqual({ snapshot: true, results: way.results });
  expect(pathOf(way, { round: 3, hash: 'h9' }).snapshot).toBe(true);
  expect(pathOf(way, { round: 7, hash: 'h13' })).toEqual({ snapshot: false, results: [] });
  expect(pathOf(way, { round: 4, hash: 'h10' })).toEqual({ snapshot: false, results: way.results });
});

it('keeps what it came to when a blob is gone', async () => {
  const way = await chain();
  network.blobs.delete('w/r/7/0');
  const seen: number[] = [];
  await expect(catchUp(holder().holder, way, null, ({ round }) => seen.push(round))).rejects.toThrow('w/r/7/0');
  expect(seen).toEqual([4, 5]);
});
