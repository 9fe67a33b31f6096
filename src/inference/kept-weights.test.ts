import { mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { Model } from '../model/model.js';
import { cacheFolder, KeptWeights } from './kept-weights.js';
import { weightsIn } from './weights.js';

// Large enough to be kept: 17 million parameters.
const model = Model.create('llama', {
  layers: 1,
  width: 512,
  heads: 8,
  keyValueHeads: 4,
  context: 8,
  vocabulary: 30_000,
});
let cache: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'meanfield-kept-'));
});
afterEach(() => rm(cache, { recursive: true }));

const keptOf = (state: string, precision: 'int8' | 'int4' = 'int8') =>
  new KeptWeights(model, precision, { place: 'models/a', state, cache });
const parameters = model.layout.views(model.layout.initialize(new Random(1)));
const all = { int8: weightsIn('int8', model, parameters), int4: weightsIn('int4', model, parameters) };
const made = (precision: 'int8' | 'int4' = 'int8') => all[precision];
const has = async (state: string) => (await keptOf(state).read()) !== undefined;
const files = async () => (await readdir(join(cache, 'weights'))).map((name) => join(cache, 'weights', name));

describe('weights that are kept', () => {
  it.each(['int8', 'int4'] as const)('are those that were made, in %s', async (precision) => {
    const weights = made(precision);
    const kept = keptOf('1', precision);
    expect(await kept.read()).toBeUndefined();
    await kept.write(weights);
    const read = await keptOf('1', precision).read();
    expect(read!.products).toEqual(weights.products);
    expect(read!.tables).toEqual(weights.tables);
    expect([...read!.constants.keys()].sort()).toEqual([...weights.constants.keys()].sort());
    const bytes = ({ buffer, byteOffset, byteLength }: Uint8Array | Float32Array) =>
      Buffer.from(buffer, byteOffset, byteLength);
    for (const [name, values] of weights.constants)
      expect(bytes(read!.constants.get(name)!).equals(bytes(values))).toBe(true);
  });

  it('are not those of another state, which come in their place', async () => {
    await keptOf('1').write(made());
    expect(await has('2')).toBe(false);
    const before = await files();
    await keptOf('2').write(made());
    expect(await files()).toEqual(before);
    expect(await has('1')).toBe(false);
    expect(await has('2')).toBe(true);
  });

  it('are none where the file is damaged anywhere', async () => {
    await keptOf('1').write(made());
    const [path] = (await files()) as [string];
    const bytes = await readFile(path);
    for (const at of [0, 9, 5000, bytes.length >> 1, bytes.length - 1]) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 4;
      await writeFile(path, damaged);
      expect(await has('1')).toBe(false);
    }
    await writeFile(path, bytes);
    expect(await has('1')).toBe(true);
    await truncate(path, bytes.length - 100);
    expect(await has('1')).toBe(false);
    await writeFile(path, '');
    expect(await has('1')).toBe(false);
  });

  it('takes what was left unfinished away', async () => {
    const left = join(cache, 'weights', 'x.safetensors.0.tmp');
    const young = join(cache, 'weights', 'y.safetensors.0.tmp');
    await keptOf('1').write(made());
    for (const path of [left, young]) await writeFile(path, 'half');
    await utimes(left, 0, 0);
    await keptOf('1').write(made());
    expect(await files()).not.toContain(left);
    expect(await files()).toContain(young);
  });
});

describe('the folder of what is kept', () => {
  it('is named by the environment, which can say that there is none', () => {
    expect(cacheFolder({ MEANFIELD_CACHE: '' })).toBeUndefined();
    expect(cacheFolder({ MEANFIELD_CACHE: '/c', XDG_CACHE_HOME: '/x' })).toBe('/c');
    expect(cacheFolder({ XDG_CACHE_HOME: '/x' })).toBe(join('/x', 'meanfield'));
    expect(cacheFolder({})).toMatch(/\.cache.meanfield$/);
  });
});
