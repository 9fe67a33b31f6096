import { readFileSync } from 'node:fs';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MeanfieldError } from '../errors.js';
import { encodeSafetensors } from '../safetensors-writer.js';
import { writeFileAtomic } from './atomic.js';
import { SafetensorsFile } from './safetensors.js';

const fixtures = new URL('../../../test/fixtures/safetensors/', import.meta.url).pathname;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'safetensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file of the given header text and bytes after it. */
async function fileOf(header: string, data: Uint8Array = new Uint8Array(0), length?: bigint) {
  const json = new TextEncoder().encode(header);
  const path = join(folder, 'hostile.safetensors');
  const start = new Uint8Array(8);
  new DataView(start.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  await writeFile(path, Buffer.concat([start, json, data]));
  return path;
}

describe("files that Python's safetensors wrote", () => {
  const expected: Record<string, { shape: number[]; float32Bits: number[] }> = JSON.parse(
    readFileSync(join(fixtures, 'expected.json'), 'utf8'),
  );
  const { 'many halves': many, ...exact } = expected as typeof expected & {
    'many halves': { sumOfFiniteMagnitudes: number };
  };

  test.each(Object.keys(exact))('%j reads as the same single-precision bits', async (name) => {
    const file = await SafetensorsFile.open(join(fixtures, 'python.safetensors'));
    const values = await file.readFloat32(name);
    expect([...new Int32Array(values.buffer)]).toEqual(exact[name]!.float32Bits);
    expect(file.info(name).shape).toEqual(exact[name]!.shape);
    await file.close();
  });

  test('every seventh half precision number widens exactly', async () => {
    const file = await SafetensorsFile.open(join(fixtures, 'python.safetensors'));
    const values = await file.readFloat32('many halves');
    const sum = values.reduce((total, value) => total + (Number.isFinite(value) ? Math.abs(value) : 0), 0);
    expect(sum).toBe(many.sumOfFiniteMagnitudes);
    await file.close();
  });

  test('integers and booleans read as bytes, and not as floating point', async () => {
    const file = await SafetensorsFile.open(join(fixtures, 'python.safetensors'));
    expect([...new BigInt64Array((await file.readBytes('long')).buffer)]).toEqual([-(2n ** 63n), 2n ** 53n + 1n, 7n]);
    expect([...new Int32Array((await file.readBytes('int')).buffer)]).toEqual([-(2 ** 31), 2 ** 31 - 1]);
    expect([...(await file.readBytes('byte'))]).toEqual([0, 255, 7]);
    expect([...(await file.readBytes('bool'))]).toEqual([1, 0, 1]);
    expect(file.metadata).toEqual({ format: 'pt' });
    await expect(file.readFloat32('long')).rejects.toThrow(/long is I64, expected one of F32, F16, BF16, F64/);
    await expect(file.readFloat32('matrix', new Float32Array(5))).rejects.toThrow(
      /shape \[2,3\], 6 elements; expected 5/,
    );
    expect(() => file.info('absent')).toThrow(/has no tensor absent/);
    await file.close();
  });
});

test('a tensor larger than one transfer is read whole, into a view', async () => {
  const length = 5 * 2 ** 20 + 3;
  const data = Float32Array.from({ length }, (_, i) => i);
  const path = join(folder, 'large.safetensors');
  await writeFileAtomic(path, encodeSafetensors([{ name: 'x', shape: [length], data }]));
  const file = await SafetensorsFile.open(path);
  const vector = new Float32Array(length + 2).fill(-1);
  await file.readFloat32('x', vector.subarray(1, length + 1));
  expect(Buffer.compare(Buffer.from(vector.buffer, 4, length * 4), Buffer.from(data.buffer))).toBe(0);
  expect([vector[0], vector.at(-1)]).toEqual([-1, -1]);
  await truncate(path, 2 ** 20);
  await expect(file.readFloat32('x')).rejects.toThrow(/it was cut while it was read/);
  await file.close();
});

test('fill wants exactly the names and shapes of the file', async () => {
  const path = join(folder, 'fill.safetensors');
  const tensor = (name: string, shape: number[], ...values: number[]) => ({
    name,
    shape,
    data: Float32Array.of(...values),
  });
  await writeFileAtomic(path, encodeSafetensors([tensor('b', [2, 1], 1, 2), tensor('a', [1], 3)]));
  const file = await SafetensorsFile.open(path);
  const a = tensor('a', [1], 0);
  const b = tensor('b', [2, 1], 0, 0);
  await file.fill([b, a]);
  expect([...a.data, ...b.data]).toEqual([3, 1, 2]);
  await expect(file.fill([a])).rejects.toThrow(/1 tensors that are not expected here: b\./);
  await expect(file.fill([a, tensor('b', [1, 2], 0, 0)])).rejects.toThrow(/b has shape \[2,1\], expected \[1,2\]/);
  await expect(file.fill([a, b, tensor('c', [1], 0)])).rejects.toThrow(/no tensor c/);
  await file.close();
});

describe('hostile files are refused with a reason', () => {
  test.each<[string, RegExp, bigint]>([
    ['header longer than the file', /claims 9 bytes, the file has 10/, 9n],
    ['header of 2^64-1 bytes', /claims 18446744073709551615 bytes/, 2n ** 64n - 1n],
    ['header of 100 MB claimed', /claims 100000001 bytes/, 100000001n],
  ])('%s', async (_, reason, length) => {
    const opening = SafetensorsFile.open(await fileOf('{}', undefined, length));
    await expect(opening).rejects.toThrow(MeanfieldError);
    await expect(opening).rejects.toThrow(reason);
  });

  test('a file of fewer than 8 bytes, and none', async () => {
    const path = join(folder, 'short.safetensors');
    await writeFile(path, '1234567');
    await expect(SafetensorsFile.open(path)).rejects.toThrow(/7 bytes, at least 8/);
    await expect(SafetensorsFile.open(join(folder, 'absent'))).rejects.toThrow(/Cannot open .*absent/);
  });

  test('a tensor named __proto__ is a tensor like any other', async () => {
    const header = '{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}';
    const file = await SafetensorsFile.open(await fileOf(header, Uint8Array.of(9)));
    expect([...(await file.readBytes('__proto__'))]).toEqual([9]);
    await file.close();
  });

  test('any damage to a byte or the length gives an error that tells, or a sound file', async () => {
    const sound = readFileSync(join(fixtures, 'ours.safetensors'));
    const path = join(folder, 'damaged.safetensors');
    const damage = fc.tuple(fc.nat(sound.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(sound.length));
    await fc.assert(
      fc.asyncProperty(damage, async ([at, flip, length]) => {
        const bytes = Buffer.from(sound);
        bytes[at]! ^= flip;
        await writeFile(path, at % 2 ? bytes : bytes.subarray(0, length));
        try {
          const file = await SafetensorsFile.open(path);
          for (const name of file.tensors.keys()) await file.readBytes(name);
          await file.close();
        } catch (error) {
          expect(error).toBeInstanceOf(MeanfieldError);
        }
      }),
      { numRuns: 300 },
    );
  });
});
