import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest';
import { type PullOptions, pullModel } from '../src/hub/remote/pull-model.js';
import { startTraining } from '../src/local/train.js';
import { HubServer } from './hub-server.js';

export const sentence = new URL('./fixtures/sentence/tiny', import.meta.url).pathname;

export let server: HubServer;
export let folder: string;
/** Of the test that runs. */
export let cache: string;
/** The model that the hub has. */
export let files: Record<string, Buffer>;

/** For the tests of a file: a hub that has a model, an empty cache for each test, and an environment that names both. */
export function useHub(): void {
  beforeAll(async () => {
    server = await HubServer.start();
    folder = await mkdtemp(join(tmpdir(), 'meanfield-hub-'));
    await writeFile(join(folder, 'text.txt'), 'A king has twelve ducats, and a fool has none.\n'.repeat(300));
    const sizes = { layers: 2, width: 32, heads: 2, context: 32, batchSize: 2, threads: 1, steps: 5 };
    const run = join(folder, 'run');
    await startTraining({ ...sizes, corpus: [join(folder, 'text.txt')], run, model: 'llama', tokenizer: 'bytes' })
      .result;
    files = Object.fromEntries(
      await Promise.all(
        (await readdir(join(run, 'model')))
          .filter((name) => name !== 'meanfield.json')
          .map(async (name) => [name, await readFile(join(run, 'model', name))] as const),
      ),
    );
    const pickles = { 'pytorch_model.bin': 'pickle', 'training_args.bin': 'pickle', 'README.md': '# A model' };
    server.put('acme/tiny', { ...files, ...pickles, 'onnx/model.onnx': 'x', 'config.py': 'x' });
  }, 120_000);
  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(async () => {
    pauses.length = 0;
    cache = await mkdtemp(join(folder, 'cache-'));
    for (const [name, value] of Object.entries(environment())) vi.stubEnv(name, value);
  });
  afterEach(() => {
    server.reset();
    vi.unstubAllEnvs();
  });
}

/** What `HF_` names. */
export const environment = () => ({
  ...{ HF_ENDPOINT: server.endpoint, HF_HUB_CACHE: cache, HF_HUB_OFFLINE: '0' },
  ...{ HF_TOKEN: 'hf_secret', HF_HOME: join(folder, 'home') },
});
/** Seconds that were waited before asking again. */
export const pauses: number[] = [];
export const pull = (model: string, options: PullOptions = {}) =>
  pullModel(model, {
    pause: async (seconds) => {
      pauses.push(seconds);
    },
    ...options,
  });

export const blobs = () => readdir(join(cache, 'models--acme--tiny', 'blobs'));
export const weightsHash = () => createHash('sha256').update(files['model.safetensors']!).digest('hex');
