import { expect, it } from 'vitest';
import { BlobDamagedError, BlobMissingError } from '../../transport/errors.js';
import { MemoryNetwork } from '../../transport/memory-transport.test-support.js';
import { getList, getParts, putParts } from './manifest.js';

const network = new MemoryNetwork();
const { blobs } = network.connect().transport;

it('stores parts with their list, and gets them in order', async () => {
  const parts = [1, 2, 3].map((value) => Uint8Array.of(value));
  const list = await putParts(blobs, 'w/c/1/0', parts);
  expect(list.key).toBe('w/c/1/0/list');
  expect((await getList(blobs, list)).map(({ key }) => key)).toEqual(['w/c/1/0/0', 'w/c/1/0/1', 'w/c/1/0/2']);
  const expected = { owner: 'w', bytes: [1, 1, 1] };
  expect((await getParts(blobs, list, expected)).map((part) => part[0])).toEqual([1, 2, 3]);
  network.blobs.delete('w/c/1/0/1');
  await expect(getParts(blobs, list, { ...expected, owner: 'v' })).rejects.toThrow("is not v's");
  await expect(getParts(blobs, list, expected)).rejects.toThrow(BlobMissingError);
});

it('calls a list damaged that is none', async () => {
  const ref = await blobs.put('w/c/2/0/list', new TextEncoder().encode('[{"key":"/etc"}]'));
  await expect(getList(blobs, ref)).rejects.toThrow(BlobDamagedError);
});
