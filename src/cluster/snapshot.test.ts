import { expect, it } from 'vitest';
import { MemoryNetwork } from '../transport/memory-transport.test-support.js';
import { getSnapshot, putSnapshot } from './snapshot.js';

const network = new MemoryNetwork();
const { blobs } = network.connect().transport;

it('gives back the same bits, in parts', async () => {
  const length = 2 ** 22 + 3;
  const vectors = [0, 1].map((k) => Float32Array.from({ length }, (_, i) => k + (i % 1000) / 7));
  const list = await putSnapshot(blobs, 'run/s/1', vectors);
  expect(network.blobs.get('run/s/1/1')!.length).toBe(12);
  const got = await getSnapshot(blobs, list, 2, length);
  expect(
    got.every((vector, k) => Buffer.compare(Buffer.from(vector.buffer), Buffer.from(vectors[k]!.buffer)) === 0),
  ).toBe(true);
});

it('refuses one of another size, and one that was damaged', async () => {
  const list = await putSnapshot(blobs, 'run/s/2', [Float32Array.of(1, 2)]);
  await expect(getSnapshot(blobs, list, 1, 3)).rejects.toThrow('8 bytes in 1 parts; 1 vectors of 3 have 12 in 1');
  network.blobs.get('run/s/2/0')![0]! ^= 1;
  await expect(getSnapshot(blobs, list, 1, 2)).rejects.toThrow('damaged');
});
