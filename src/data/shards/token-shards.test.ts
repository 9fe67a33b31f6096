import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { shardListSchema } from './shard-list.js';
import { ShardWriter } from './shard-writer.js';
import { TokenShards } from './token-shards.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meanfield-shards-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function write(ids: number[], vocabulary = 300, shardTokens = 10, chunk = 7) {
  const writer = new ShardWriter(folder, 'train', vocabulary, shardTokens);
  for (let at = 0; at < ids.length; at += chunk) await writer.write(Uint32Array.from(ids.slice(at, at + chunk)));
  return writer.finish();
}

describe('token shards', () => {
  it('keep tokens in 16-bit little-endian files of bounded size', async () => {
    const ids = Array.from({ length: 25 }, (_, i) => i * 10);
    const list = await write(ids);
    expect(shardListSchema.parse(list)).toEqual(list);
    expect(list.files.map(({ name, tokens }) => [name, tokens])).toEqual([
      ['train-00000.bin', 10],
      ['train-00001.bin', 10],
      ['train-00002.bin', 5],
    ]);
    expect([...readFileSync(join(folder, 'train-00002.bin'))]).toEqual([200, 0, 210, 0, 220, 0, 230, 0, 240, 0]);
    expect(readdirSync(folder).length).toBe(3);
  });

  it('keep 32 bits where the vocabulary needs them', async () => {
    expect((await write([65535], 65536)).width).toBe(2);
    const list = await write([65536, 4294967295 - 2 ** 31, 7], 65537);
    expect(list.width).toBe(4);
    expect([...new TokenShards(folder, list).read(0, 3)]).toEqual([65536, 2147483647, 7]);
    expect(statSync(join(folder, 'train-00000.bin')).size).toBe(12);
  });

  it('read any range, over the borders of files', async () => {
    const ids = Array.from({ length: 95 }, (_, i) => (i * 7919) % 300);
    const shards = new TokenShards(folder, await write(ids));
    expect(shards.length).toBe(95);
    fc.assert(
      fc.property(fc.nat(95), fc.nat(95), (a, b) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        expect([...shards.read(start, end - start)]).toEqual(ids.slice(start, end));
      }),
    );
    expect([...shards.read(9, 3, new Int32Array(5), 1)]).toEqual([0, ids[9], ids[10], ids[11], 0]);
    expect(() => shards.read(94, 2)).toThrow(RangeError);
    shards.close();
    expect([...shards.read(94, 1)]).toEqual([ids[94]]);
    await shards.verify();
    shards.close();
  });

  it('hold nothing when there is nothing', async () => {
    const shards = new TokenShards(folder, await write([]));
    expect([shards.length, shards.read(0, 0).length]).toEqual([0, 0]);
  });

  it('are refused when a file is missing, cut or changed', async () => {
    const list = await write(Array(25).fill(1));
    const path = join(folder, 'train-00001.bin');
    writeFileSync(path, Buffer.alloc(20, 9));
    await expect(new TokenShards(folder, list).verify()).rejects.toThrow(/train-00001\.bin is damaged/);
    truncateSync(path, 18);
    expect(() => new TokenShards(folder, list)).toThrow(/should have 20 bytes, it has 18/);
    unlinkSync(path);
    expect(() => new TokenShards(folder, list)).toThrow(/should have 20 bytes, it is missing/);
    expect(() => new TokenShards(folder, { width: 2, length: 5, files: [] })).toThrow(/speaks of 5 tokens/);
  });

  it('say so when a file becomes shorter while it is used', async () => {
    const shards = new TokenShards(folder, await write(Array(10).fill(1)));
    truncateSync(join(folder, 'train-00000.bin'), 4);
    expect(() => shards.read(0, 10)).toThrow(/Cannot read tokens from .*has become shorter/);
    shards.close();
  });
});
