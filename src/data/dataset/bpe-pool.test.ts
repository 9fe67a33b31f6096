import { describe, expect, it } from 'vitest';
import { trainBpe } from '../tokenizers/train-bpe.js';
import { BpePool, encodeWorkers } from './bpe-pool.js';

const batch = (text: string) => ({
  bytes: Buffer.from(text),
  segments: [{ start: 0, source: 's', offset: 0, opens: false }],
});

async function run(workers: number) {
  const pool = new BpePool(workers);
  try {
    const texts = Array.from({ length: 9 }, (_, i) => `the cat ${i} sat on mat ${i % 3} `.repeat(50));
    await Promise.all(texts.map((text) => pool.count(batch(text))));
    const model = trainBpe(await pool.counts(), { vocabularySize: 290, special: [] });
    await pool.useModel(model);
    const ids = await Promise.all(texts.map((text) => pool.encode(batch(text))));
    return { merges: model.merges, ids: ids.map((one) => [...one]), depth: pool.depth };
  } finally {
    await pool.close();
  }
}

describe('BpePool', () => {
  it('gives the same with and without threads', async () => {
    const [none, one, two] = [await run(0), await run(1), await run(2)];
    expect(none.merges.length).toBe(21);
    expect(none.ids[0]!.length).toBeLessThan(500);
    expect({ ...one, depth: 2 }).toEqual(none);
    expect({ ...two, depth: 2 }).toEqual(none);
    expect(two.depth).toBe(4);
  });

  it('says so when a thread fails, and does not wait for it', async () => {
    const pool = new BpePool(1);
    await expect(pool.encode(batch('x'))).rejects.toThrow(/An encoding thread stopped: .*before a tokenizer/);
    await expect(pool.count(batch('x'))).rejects.toThrow(/An encoding thread stopped/);
    await pool.close();
  });
});

it('uses threads only where they pay', () => {
  expect(encodeWorkers(1000)).toBe(0);
  expect(encodeWorkers(1e9)).toBeLessThanOrEqual(8);
});
