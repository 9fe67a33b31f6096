import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StartedEvent, TrainEvent } from './events.js';
import { OpenRun } from './open-run.js';
import type { TrainOptions } from './options.js';
import { prepareData } from './prepare-model.js';
import { initialParameters } from './start-vectors.js';

const source = new URL('../../examples/tinyshakespeare.txt', import.meta.url);
let folder: string;
let corpus: string[];
let events: TrainEvent[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-prepare-'));
  corpus = [join(folder, 'text.txt')];
  events = [];
  await writeFile(corpus[0]!, (await readFile(source, 'utf8')).slice(0, 8000));
});
afterEach(() => rm(folder, { recursive: true }));

const open = (changes: Partial<TrainOptions> = {}) =>
  OpenRun.open({ corpus, run: join(folder, 'run'), tokenizer: 'chars', preset: 'nano', context: 16, ...changes });
const prepare = (run: OpenRun) => prepareData(run, (event) => events.push(event));

describe('a run is prepared', () => {
  it('with tokens in its folder, a model for them, and both written down', async () => {
    const run = await open();
    const { model, fingerprint, sizes, validation: windows } = await prepare(run);
    const { vocabulary, trainTokens, validationTokens } = sizes as Pick<
      StartedEvent,
      'vocabulary' | 'trainTokens' | 'validationTokens'
    >;
    expect(model.dimensions).toMatchObject({ layers: 2, width: 96, context: 16 });
    expect(model.dimensions.vocabulary).toBe(vocabulary);
    expect(trainTokens + validationTokens).toBe(8000);
    expect(windows.length).toBe(Math.floor((validationTokens - 1) / 16));
    expect(run.chosen.data).toMatchObject({ fingerprint, documents: 1, train_tokens: 7200 });
    expect(run.chosen.parameters).toBe(model.layout.size);
    await run.release();
  });

  it('with the vocabulary of a published model where that is larger', async () => {
    const run = await open({ preset: 'gpt2-124m', layers: 1, width: 12, heads: 1 });
    expect((await prepare(run)).model.dimensions.vocabulary).toBe(50257);
    await run.release();
  });

  it('telling what is passed over or ignored', async () => {
    await writeFile(join(folder, 'picture.png'), Uint8Array.of(0, 1, 2, 0));
    await writeFile(join(folder, 'binary.txt'), Uint8Array.of(0, 1, 2, 0));
    const run = await open({ corpus: [folder], vocab: 500 });
    await prepare(run);
    const notices = events.flatMap((event) => (event.type === 'notice' ? event.message : []));
    expect(notices.some((notice) => /1 binary.*binary\.txt/.test(notice))).toBe(true);
    expect(notices.some((notice) => notice.includes('The 500 entries asked for (vocab) are ignored'))).toBe(true);
    await run.release();
  });

  it.each([
    [{ context: 7900 }, 'training part has 7200 tokens'],
    [{ context: 900 }, 'validation part has 800 tokens'],
    [{ corpus: ['/nowhere.txt'] }, '/nowhere.txt'],
  ])('not with %j', async (changes, message) => {
    const run = await open(changes);
    await expect(prepare(run)).rejects.toThrow(message);
    await run.release();
  });
});

describe('a run that is taken up again', () => {
  const first = async () => {
    const run = await open();
    const prepared = await prepare(run);
    await run.release();
    return prepared;
  };
  const resume = () => OpenRun.open({ corpus: [], run: join(folder, 'run'), resume: true });

  it('needs its text no more', async () => {
    const { fingerprint } = await first();
    await rm(corpus[0]!);
    const run = await resume();
    expect((await prepare(run)).fingerprint).toBe(fingerprint);
    await run.release();
  });

  it('makes damaged tokens again from the same text, and refuses another', async () => {
    const { fingerprint } = await first();
    const shard = join(folder, 'run/tokens/train-00000.bin');
    const damage = async () => {
      const bytes = await readFile(shard);
      bytes[100]! ^= 1;
      await writeFile(shard, bytes);
    };
    await damage();
    let run = await resume();
    expect((await prepare(run)).fingerprint).toBe(fingerprint);
    await run.release();
    await damage();
    await writeFile(corpus[0]!, `${await readFile(corpus[0]!, 'utf8')}!`);
    run = await resume();
    await expect(prepare(run)).rejects.toThrow('not what the run was started with');
    await run.release();
  });
});

it('starts from the same parameters for the same seed', async () => {
  const run = await open();
  const { model } = await prepare(run);
  expect(initialParameters(model, 3)).toEqual(initialParameters(model, 3));
  expect(initialParameters(model, 3)).not.toEqual(initialParameters(model, 4));
  await run.release();
});
