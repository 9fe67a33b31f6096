import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SafetensorsFile } from './files/safetensors.js';
import { encodeSafetensors, encodeSafetensorsInPieces } from './safetensors-writer.js';

const bytesOf = (...args: Parameters<typeof encodeSafetensors>) => Buffer.concat([...encodeSafetensors(...args)]);

describe('encodeSafetensors', () => {
  test("writes the bytes of Python's safetensors", () => {
    const f32 = (name: string, shape: number[], ...values: number[]) => ({
      name,
      shape,
      data: Float32Array.of(...values),
    });
    const ours = bytesOf(
      [
        f32('scalar', [], -1.5),
        f32('matrix', [2, 3], 1, -0, 3.4028234663852886e38, 1.401298464324817e-45, 0.1, -2.5),
        f32('empty', [0, 3]),
        { name: 'long', shape: [3], data: BigInt64Array.of(-(2n ** 63n), 2n ** 53n + 1n, 7n) },
        { name: 'int', shape: [2, 1], data: Int32Array.of(-(2 ** 31), 2 ** 31 - 1) },
        { name: 'byte', shape: [3], data: Uint8Array.of(0, 255, 7) },
        f32('0', [1], 1),
        f32('quote " \n é 😀 \uffee', [1], 2),
      ],
      { format: 'pt' },
    );
    const python = readFileSync(new URL('../../test/fixtures/safetensors/ours.safetensors', import.meta.url));
    expect(ours.toString('latin1')).toBe(python.toString('latin1'));
  });

  test('gives views of the tensors, not copies, after a header that aligns them to 8 bytes', () => {
    const vector = Float32Array.of(1, 2, 3, 4);
    const [header, data] = [...encodeSafetensors([{ name: 'x', shape: [1, 2], data: vector.subarray(1, 3) }])];
    expect(header!.length % 8).toBe(0);
    expect(data).toEqual(new Uint8Array(vector.buffer, 4, 8));
    expect(data!.buffer).toBe(vector.buffer);
  });

  test('rounds single precision to what is asked for, after wider types', () => {
    const data = Float32Array.of(1 + 2 ** -9, -65_504, 2 ** -24, 0.1);
    const tensor = (name: string, rounded?: 'F16' | 'BF16') => ({ name, shape: [4], data, rounded });
    const bytes = bytesOf([tensor('a', 'F16'), tensor('b', 'BF16'), tensor('c')]);
    const json = JSON.parse(bytes.subarray(8, 8 + bytes.readUInt32LE(0)).toString());
    expect(Object.entries(json)).toEqual([
      ['c', { dtype: 'F32', shape: [4], data_offsets: [0, 16] }],
      ['b', { dtype: 'BF16', shape: [4], data_offsets: [16, 24] }],
      ['a', { dtype: 'F16', shape: [4], data_offsets: [24, 32] }],
    ]);
    const halves = bytes.subarray(-16);
    const read = (first: number) => [0, 2, 4, 6].map((i) => halves.readUInt16LE(first + i));
    // As numpy.float16 and torch.bfloat16 have them.
    expect(read(0)).toEqual([0x3f80, 0xc780, 0x3380, 0x3dcd]);
    expect(read(8)).toEqual([0x3c02, 0xfbff, 0x0001, 0x2e66]);
  });

  test('no tensors and no metadata are a sound file', () => {
    expect(bytesOf([]).toString('latin1')).toBe('\b\0\0\0\0\0\0\0{}      ');
  });

  test('refuses a name twice and a shape that does not fit', () => {
    const tensor = (name: string, shape: number[]) => ({ name, shape, data: new Float32Array(4) });
    expect(() => bytesOf([tensor('x', [4]), tensor('x', [2, 2])])).toThrow(/the name "x" is taken/);
    expect(() => bytesOf([tensor('__metadata__', [4])])).toThrow(/"__metadata__" is taken/);
    expect(() => bytesOf([tensor('x', [2, 3])])).toThrow(/x of shape \[2,3\] needs 6 elements, got 4/);
  });
});

test('any tensors come back from a file bit for bit', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'safetensors-writer-'));
  const path = join(folder, 'any.safetensors');
  const shape = fc.array(fc.nat(4), { maxLength: 4 });
  const names = fc.uniqueArray(
    fc.string({ unit: 'binary' }).filter((name) => name !== '__metadata__'),
    { maxLength: 8 },
  );
  const tensors = names.chain((all) =>
    fc.tuple(...all.map((name) => fc.record({ name: fc.constant(name), shape, seed: fc.integer() }))),
  );
  await fc.assert(
    fc.asyncProperty(tensors, fc.dictionary(fc.string(), fc.string()), async (specs, metadata) => {
      const written = specs.map(({ name, shape, seed }) => {
        const length = shape.reduce((product, size) => product * size, 1);
        // Every bit pattern, NaNs with a payload among them.
        const bits = Int32Array.from({ length }, (_, i) => Math.imul(seed + i, 0x9e3779b1));
        return { name, shape, data: new Float32Array(bits.buffer) };
      });
      await writeFile(path, bytesOf(written, metadata));
      const file = await SafetensorsFile.open(path);
      const read = written.map(({ name, shape, data }) => ({ name, shape, data: new Float32Array(data.length) }));
      await file.fill(read);
      for (const [i, { data }] of read.entries()) {
        expect(Buffer.compare(Buffer.from(data.buffer), Buffer.from(written[i]!.data.buffer))).toBe(0);
      }
      expect({ ...file.metadata }).toEqual({ ...metadata });
      await file.close();
    }),
    { numRuns: 50 },
  );
  await rm(folder, { recursive: true });
});

describe('encodeSafetensorsInPieces', () => {
  const tensors = [
    { name: 'b', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    { name: 'a', shape: [1], data: Float32Array.of(7) },
    { name: 'none', shape: [0], data: new Float32Array(0) },
  ];
  /** Two elements at a time, always in the same array. */
  async function* read(name: string) {
    const array = new Float32Array(2);
    const { data } = tensors.find((one) => one.name === name)!;
    for (let i = 0; i < data.length; i += 2) {
      const part = data.subarray(i, i + 2);
      array.set(part);
      yield array.subarray(0, part.length);
    }
  }

  test('gives the bytes of the whole', async () => {
    const pieces: Buffer[] = [];
    for await (const piece of encodeSafetensorsInPieces(tensors, read, { format: 'pt' }))
      pieces.push(Buffer.from(piece));
    expect(Buffer.concat(pieces).equals(bytesOf(tensors, { format: 'pt' }))).toBe(true);
  });

  test('refuses a tensor that comes with too few or too many elements', async () => {
    for (const shape of [[7], [5]]) {
      const drain = async () => {
        for await (const _ of encodeSafetensorsInPieces([{ name: 'b', shape }], read));
      };
      await expect(drain()).rejects.toThrow('b of shape');
    }
  });
});
