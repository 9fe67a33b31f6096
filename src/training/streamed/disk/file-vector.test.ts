import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { MemoryVector, type RangedVector } from '../../ranged-vector.js';
import { FileVector } from './file-vector.js';

const folder = await mkdtemp(join(tmpdir(), 'file-vector-'));
afterAll(() => rm(folder, { recursive: true }));

const LENGTH = 5000;
/** Changes of ranges that begin and end anywhere, in pages that they share. */
async function changed(vector: RangedVector): Promise<number[]> {
  await vector.write(
    0,
    Float32Array.from({ length: LENGTH }, (_, i) => i),
  );
  for (const [start, end] of [
    [0, 1],
    [1000, 1030],
    [1023, 4100],
    [4096, LENGTH],
    [LENGTH - 1, LENGTH],
  ] as const) {
    const values = await vector.read({ start, end });
    for (const i of values.keys()) values[i]! *= -2;
    await vector.write(start, values);
    await vector.write(start, Float32Array.of(start + 0.5));
  }
  return [...(await vector.read({ start: 0, end: LENGTH }))];
}

it('has the values that a vector in memory has after the same changes, and zeros where nothing was written', async () => {
  const memory = new MemoryVector(new Float32Array(LENGTH));
  const file = await FileVector.open(join(folder, 'a'), LENGTH);
  expect([...(await file.read({ start: 3, end: 9 }))]).toEqual([0, 0, 0, 0, 0, 0]);
  expect(await changed(file)).toEqual(await changed(memory));
  await file.close();
});

it('gives of one in memory the vector itself', async () => {
  const values = Float32Array.of(1, 2, 3);
  const part = await new MemoryVector(values).read({ start: 1, end: 3 });
  part[0] = 7;
  expect([...values]).toEqual([1, 7, 3]);
});

it('writes nothing that was read before something else', async () => {
  const file = await FileVector.open(join(folder, 'b'), LENGTH);
  await file.write(0, Float32Array.of(1, 2));
  await file.write(2048, Float32Array.of(3));
  await file.write(1, Float32Array.of(5));
  expect([...(await file.read({ start: 0, end: 3 }))]).toEqual([1, 5, 0]);
  expect([...(await file.read({ start: 2048, end: 2050 }))]).toEqual([3, 0]);
  await file.close();
});
