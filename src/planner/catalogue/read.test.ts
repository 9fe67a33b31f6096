import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readCluster, readModel } from './read.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'catalogue-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('a cluster comes from the catalogue, a shorthand or a file', async () => {
  expect((await readCluster('summit')).cluster.accelerators).toBe(27_648);
  expect((await readCluster('16xh100')).cluster.perNode).toBe(8);
  const path = join(folder, 'mine.json');
  await writeFile(path, JSON.stringify({ accelerator: 'A100', accelerators: 24, intraNode_GBps: 2400 }));
  const { cluster, warnings } = await readCluster(path);
  expect(cluster).toMatchObject({ name: path, accelerators: 24, intraNode: 2.4e12 });
  expect(warnings).toEqual([expect.stringMatching(/intraNode_GBps = 2400 is 8 times the 300/)]);
  await expect(readCluster('sumit')).rejects.toThrow(/Nearest: summit/);
  await expect(readCluster(join(folder, 'none.json'))).rejects.toThrow(/Cannot read/);
});

test('a model comes from the catalogue or a config.json', async () => {
  expect((await readModel('gpt2')).parameters).toBe(124_439_808);
  const path = join(folder, 'config.json');
  await writeFile(
    path,
    JSON.stringify({ model_type: 'gpt2', n_layer: 1, n_embd: 4, n_head: 1, n_positions: 2, vocab_size: 3 }),
  );
  expect(await readModel(path)).toMatchObject({ name: path, layers: 1, parameters: 3 * 4 + 2 * 4 + 192 + 36 + 16 + 8 });
  for (const [text, expected] of [
    ['{"model_type":"nope"}', /config\.json describes no model: Unknown model_type "nope"\. Nearest: opt/],
    ['{"accelerators":8}', /config\.json describes no model: No model_type\. Allowed: llama/],
    ['[]', /config\.json describes no model: A model configuration is a JSON object/],
  ] as const) {
    await writeFile(path, text);
    await expect(readModel(path)).rejects.toThrow(expected);
  }
  await expect(readModel('gpt5')).rejects.toThrow(/Unknown model "gpt5". Nearest: gpt/);
});
