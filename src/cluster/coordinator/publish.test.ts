import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { layoutHash } from '../../averaging/layout-hash.js';
import { sha256 } from '../../base/hash.js';
import { openDataset } from '../../data/index.js';
import { testData, tinyModel } from '../../local/local.test-support.js';
import type { PreparedData } from '../../run/prepare-model.js';
import { MemoryNetwork } from '../../transport/memory-transport.test-support.js';
import { parseClusterOptions } from '../options.js';
import { type Publication, publish } from './publish.js';

const data = await testData(4000);
const dataset = await openDataset(data.tokens);
afterAll(async () => {
  dataset.train.close();
  dataset.validation.close();
  await data.remove();
});

async function published(source: 'send' | { path: string }) {
  const network = new MemoryNetwork();
  const { blobs } = network.connect().transport;
  const model = tinyModel(data.vocabulary);
  const told: number[] = [];
  const publication = {
    run: 'r',
    prepared: {
      model,
      fingerprint: dataset.fingerprint,
      trainingFiles: ['dataset.json', ...dataset.train.names],
      task: { folder: data.tokens },
    } as unknown as PreparedData,
    setup: { batchSize: 2 } as unknown as Publication['setup'],
    cluster: parseClusterOptions({ data: source, heartbeatTimeout: 8 }),
    record: { version: 1 },
    onProgress: (fraction: number) => void told.push(fraction),
  };
  const ref = await publish(blobs, publication);
  const configuration = JSON.parse(new TextDecoder().decode(await blobs.get(ref)));
  return { blobs, configuration, model, told };
}

it('stores the configuration and every file of the tokens, with its hash', async () => {
  const { blobs, configuration, model, told } = await published('send');
  expect(configuration).toMatchObject({
    run: 'r',
    layoutHash: layoutHash(model.layout),
    fingerprint: dataset.fingerprint,
    heartbeatSeconds: 2,
    data: { source: 'send' },
  });
  const { files } = configuration.data;
  expect(files.filter((file: { training: boolean }) => file.training).length).toBeGreaterThan(1);
  expect(files.some((file: { training: boolean }) => !file.training)).toBe(true);
  for (const { name, bytes, sha256: hash, blob } of files) {
    const content = await blobs.get(blob);
    expect([content.length, sha256(content)]).toEqual([bytes, hash]);
    expect(Buffer.from(content).equals(await readFile(join(data.tokens, name)))).toBe(true);
  }
  expect(told.at(-1)).toBe(1);
});

it('sends no tokens where all machines see the folder', async () => {
  const { configuration } = await published({ path: data.tokens });
  expect(configuration.data.source).toEqual({ path: data.tokens });
  expect(configuration.data.files.every((file: object) => !('blob' in file))).toBe(true);
});
