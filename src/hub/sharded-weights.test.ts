import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeSafetensors, type NamedTensors } from '../base/safetensors-writer.js';
import { readModelFolder } from './model-folder.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-shards-'));
  await writeFile(join(folder, 'config.json'), '{}');
});
afterEach(() => rm(folder, { recursive: true }));

const tensor = (name: string, ...values: number[]) => ({
  name,
  shape: [values.length],
  data: Float32Array.of(...values),
});

async function save(shards: Record<string, NamedTensors>, map?: unknown) {
  const places: Record<string, string> = {};
  for (const [file, tensors] of Object.entries(shards)) {
    const parts: Uint8Array[] = [];
    for await (const part of encodeSafetensors(tensors)) parts.push(part);
    await writeFile(join(folder, file), Buffer.concat(parts));
    for (const { name } of tensors) places[name] = file;
  }
  const index = { metadata: { total_size: 1 }, weight_map: map ?? places };
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(index));
}

const [A, B] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];

describe('weights in several files', () => {
  it('are read as one', async () => {
    await save({ [A]: [tensor('a', 1, 2)], [B]: [tensor('b', 3), tensor('c', 4)] });
    const { weights, close } = await readModelFolder(folder);
    expect([...weights.tensors.keys()].sort()).toEqual(['a', 'b', 'c']);
    expect([...(await weights.readFloat32('a')), ...(await weights.readFloat32('c'))]).toEqual([1, 2, 4]);
    await expect(async () => weights.readFloat32('d')).rejects.toThrow('names no tensor "d"');
    await close();
  });

  it.each([
    [
      { a: '../x.safetensors' },
      'says that "a" lies in "../x.safetensors": expected a .safetensors file of its own folder',
    ],
    [{ a: '/etc/x.safetensors' }, 'lies in "/etc/x.safetensors"'],
    [{ a: '..\\x.safetensors' }, 'expected a .safetensors file of its own folder'],
    [{ a: 'config.json' }, 'lies in "config.json"'],
    [{ a: 7 }, 'lies in 7'],
    [{}, 'is damaged: expected weight_map'],
    [[A], 'is damaged: expected weight_map'],
    [{ a: A, b: A }, `says that "b" lies in ${A}, which does not have it`],
    [{ a: A, b: 'model-3.safetensors' }, 'model-3.safetensors is missing, which'],
    [Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`${i}`, `${i}.safetensors`])), 'names 5000 files'],
  ])('are refused with the map %j', async (map, message) => {
    await save({ [A]: [tensor('a', 1)] }, map);
    await expect(readModelFolder(folder)).rejects.toThrow(message);
  });

  it('are refused where a file holds what the map does not name', async () => {
    await save({ [A]: [tensor('a', 1), tensor('b', 2)] }, { a: A });
    await expect(readModelFolder(folder)).rejects.toThrow(`${A} holds tensors that`);
  });

  it('are refused where a file is damaged, or the map is none', async () => {
    await save({ [A]: [tensor('a', 1)] });
    await writeFile(join(folder, A), 'no safetensors');
    await expect(readModelFolder(folder)).rejects.toThrow(`${join(folder, A)} is not a sound safetensors file`);
    await writeFile(join(folder, 'model.safetensors.index.json'), '{');
    await expect(readModelFolder(folder)).rejects.toThrow('model.safetensors.index.json');
  });

  it('are not meant where there is one file', async () => {
    await save({ [A]: [tensor('a', 1)], 'model.safetensors': [tensor('one', 1)] }, { a: A });
    const { weights, close } = await readModelFolder(folder);
    expect([...weights.tensors.keys()]).toEqual(['one']);
    await close();
  });
});
