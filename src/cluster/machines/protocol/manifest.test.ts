import { expect, it } from 'vitest';
import { BlobDamagedError, BlobMissingError } from '../../transport-errors.js';
import { MemoryNetwork } from '../memory-transport.test-support.js';
import { getList, getParts, inParallel, putParts } from './manifest.js';

const network = new MemoryNetwork();
const { blobs } = network.connect().transport;

it('stores parts with their list, and gets them in order', async () => {
  const parts = [1, 2, 3].map((value) => Uint8Array.of(value));
  const list = await putParts(blobs, 'w/c/1/0', parts);
  expect(list.key).toBe('w/c/1/0/list');
  expect((await getList(blobs, list)).map(({ key }) => key)).toEqual(['w/c/1/0/0', 'w/c/1/0/1', 'w/c/1/0/2']);
  expect((await getParts(blobs, list)).map((part) => part[0])).toEqual([1, 2, 3]);
  network.blobs.delete('w/c/1/0/1');
  await expect(getParts(blobs, list)).rejects.toThrow(BlobMissingError);
});

it('calls a list damaged that is none', async () => {
  const ref = await blobs.put('w/c/2/0/list', new TextEncoder().encode('[{"key":"/etc"}]'));
  await expect(getList(blobs, ref)).rejects.toThrow(BlobDamagedError);
});

it('works on a few at a time, and starts no more after a failure', async () => {
  let [running, most, started] = [0, 0, 0];
  const work = async (i: number) => {
    started++;
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running--;
    if (i === 20) throw new Error('twenty');
    return i * 2;
  };
  const items = Array.from({ length: 15 }, (_, i) => i);
  expect(await inParallel(items, work)).toEqual(items.map((i) => i * 2));
  expect(most).toBe(8);
  started = 0;
  await expect(
    inParallel(
      Array.from({ length: 100 }, (_, i) => i),
      work,
    ),
  ).rejects.toThrow('twenty');
  expect(started).toBeLessThan(40);
});
