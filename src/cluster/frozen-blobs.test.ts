import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Model } from '../model/model.js';
import { readFrozen, writeFrozen } from '../run/frozen-part.js';
import { MemoryNetwork } from '../transport/memory-transport.test-support.js';
import type { BlobStore } from '../transport/transport.js';
import { fetchFrozen, putFrozen } from './frozen-blobs.js';
import type { Configuration } from './protocol/configuration.js';

const folder = await mkdtemp(join(tmpdir(), 'meanfield-frozen-'));
afterAll(() => rm(folder, { recursive: true }));

const patterns = ['*', '!ln_f.*'];
const model = Model.create('gpt2', {
  ...{ layers: 3, width: 512, heads: 4, keyValueHeads: 4, context: 8, vocabulary: 99 },
}).freeze(patterns);
const frozen = Float32Array.from({ length: model.frozen.size }, (_, i) => Math.sin(i));
/** Millions of elements, one by one, would take minutes. */
const isSame = (found: Float32Array) => Buffer.from(found.buffer).equals(Buffer.from(frozen.buffer));
const path = join(folder, 'frozen.safetensors');
const part = { freeze: patterns, path, sha256: await writeFrozen(path, model.frozen, frozen) };

let network: MemoryNetwork;
let blobs: BlobStore;
let configuration: Pick<Configuration, 'frozen' | 'setup'>;
beforeEach(async () => {
  network = new MemoryNetwork();
  ({ blobs } = network.connect().transport);
  const setup = { model: model.config, freeze: patterns } as unknown as Configuration['setup'];
  configuration = { setup, frozen: await putFrozen(blobs, part) };
});
const fetched = (cache: string, one = configuration, of = model) =>
  fetchFrozen(one, of, (sha256) => join(folder, cache, sha256), { blobs });

describe('frozen parameters as blobs', () => {
  it('come in parts, are the same file on the other machine, and are fetched once', async () => {
    expect([...network.blobs.keys()].sort()).toEqual([
      'run/frozen/0',
      'run/frozen/1',
      'run/frozen/2',
      'run/frozen/list',
    ]);
    const there = await fetched('once');
    expect(there).toEqual({ freeze: patterns, path: join(folder, 'once', part.sha256), sha256: part.sha256 });
    expect((await readFile(there!.path)).equals(await readFile(path))).toBe(true);
    expect(isSame(await readFrozen(there, model.frozen))).toBe(true);
    const get = vi.spyOn(blobs, 'get');
    await fetched('once');
    expect(get).not.toHaveBeenCalled();
    await writeFile(there!.path, 'damaged');
    expect(isSame(await readFrozen(await fetched('once'), model.frozen))).toBe(true);
  });

  it('are none where all parameters are trained', async () => {
    const whole = Model.fromConfig(model.config);
    expect(await fetched('none', { setup: configuration.setup }, whole)).toBeUndefined();
  });

  it('are refused where they are missing, damaged, others, or too many, and nothing stays behind', async () => {
    const { frozen: named, setup } = configuration;
    const whole = Model.fromConfig(model.config);
    const cases: [string | RegExp, () => Promise<unknown>][] = [
      ['contradicts itself: its model has 0 frozen parameters', () => fetched('bad', configuration, whole)],
      [/has \d+ frozen parameters, .* and their file has 0\./, () => fetched('bad', { setup })],
      ['contradicts itself', () => fetched('bad', { setup, frozen: { ...named!, bytes: named!.bytes + 50_000 } })],
      ['have', () => fetched('bad', { setup, frozen: { ...named!, bytes: named!.bytes + 1 } })],
      ['its sha256 differs', () => fetched('bad', { setup, frozen: { ...named!, sha256: 'a'.repeat(64) } })],
    ];
    for (const [message, fetch] of cases) await expect(fetch()).rejects.toThrow(message);
    network.blobs.get('run/frozen/1')![7]! ^= 1;
    await expect(fetched('bad')).rejects.toThrow(/run\/frozen\/1/);
    network.blobs.delete('run/frozen/1');
    await expect(fetched('bad')).rejects.toThrow(/run\/frozen\/1/);
    expect(await readdir(join(folder, 'bad'))).toEqual([]);
  });
});
