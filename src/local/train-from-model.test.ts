import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadModel } from '../hub/load-model.js';
import type { TrainOptions } from '../run/options.js';
import { startTraining } from './train.js';

vi.setConfig({ testTimeout: 60_000 });

const source = new URL('../../examples/tinyshakespeare.txt', import.meta.url);
let folder: string;
const at = (name: string) => join(folder, name);
const json = async (path: string) => JSON.parse(await readFile(at(path), 'utf8'));

const SHORT = { steps: 10, evalEvery: 10, syncEvery: 5, batchSize: 4, threads: 1 } as const;
const train = (options: Partial<TrainOptions>) => startTraining({ ...SHORT, ...options } as TrainOptions).result;
const fineTune = (run: string, options: Partial<TrainOptions> = {}) =>
  train({ corpus: [at('other.txt')], from: at('base'), run: at(run), ...options });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-from-'));
  const book = await readFile(source, 'utf8');
  await writeFile(at('book.txt'), book.slice(0, 8000));
  await writeFile(at('other.txt'), book.slice(20_000, 24_000));
  const tiny = { model: 'gpt2', layers: 1, width: 16, heads: 2, context: 16, tokenizer: 'bpe', vocab: 300 } as const;
  await train({ corpus: [at('book.txt')], run: at('base'), ...tiny });
  // As published models have them: what Meanfield itself would not write.
  await writeFile(at('base/model/chat_template.jinja'), '{{ messages }}');
  const config = await json('base/model/tokenizer_config.json');
  await writeFile(at('base/model/tokenizer_config.json'), JSON.stringify({ ...config, model_max_length: 16 }));
  await writeFile(at('base/model/generation_config.json'), '{"eos_token_id":0,"temperature":0.6}');
  await rm(at('base/model/meanfield.json'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('a run that starts from a model', () => {
  it('begins with its parameters, and keeps its tokenizer, context and other files', async () => {
    const base = await loadModel(at('base'));
    await fineTune('near', { lr: 1e-12, minLr: 0 });
    const tuned = await loadModel(at('near'));
    const most = tuned.parameters.reduce((max, value, i) => Math.max(max, Math.abs(value - base.parameters[i]!)), 0);
    expect(most).toBeLessThan(1e-9);
    for (const name of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja'])
      expect(await readFile(at(`near/model/${name}`), 'utf8')).toBe(await readFile(at(`base/model/${name}`), 'utf8'));
    expect(await json('near/model/generation_config.json')).toEqual({ eos_token_id: 0, temperature: 0.6 });
    expect(await json('near/model/config.json')).toEqual(await json('base/model/config.json'));
    const { chosen, options } = await json('near/run.json');
    expect(chosen.from).toEqual({ model: at('base'), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(options).toMatchObject({ context: 16, objective: 'causal' });
    expect(options).not.toHaveProperty('tokenizer');
  });

  it('has a tenth of the rate of a new model', async () => {
    await fineTune('rate');
    expect((await json('rate/run.json')).chosen.schedule.peak).toBeCloseTo(3e-4, 12);
  });

  it('is resumed without it, to the bit', async () => {
    const whole = await fineTune('whole', { steps: 20, warmup: 2 });
    await fineTune('parts', { steps: 20, warmup: 2, untilLoss: 100 });
    await fineTune('start', { steps: 20, warmup: 2, untilLoss: 100 });
    await rm(at('start/checkpoints/000010'), { recursive: true });
    await rename(at('base'), at('elsewhere'));
    try {
      for (const run of ['parts', 'start']) {
        const resumed = await startTraining({ run: at(run), resume: true, untilLoss: 1e-9 }).result;
        expect([resumed.step, resumed.valLoss]).toEqual([20, whole.valLoss]);
      }
      await expect(startTraining({ run: at('parts'), resume: true, layers: 1 }).result).rejects.toThrow(
        '`layers` was not given, now 1',
      );
    } finally {
      await rename(at('elsewhere'), at('base'));
    }
  });

  it('can freeze parts of it, and have shorter windows', async () => {
    const base = await loadModel(at('base'));
    await fineTune('frozen', { freeze: ['wte.*'], context: 8, lr: 1e-2 });
    const tuned = await loadModel(at('frozen'));
    const views = (loaded: typeof base) => loaded.model.layout.views(loaded.parameters);
    const [before, after] = [views(base), views(tuned)];
    expect(after['transformer.wte.weight']).toEqual(before['transformer.wte.weight']);
    expect(after['transformer.wpe.weight']).not.toEqual(before['transformer.wpe.weight']);
    expect(tuned.model.dimensions.context).toBe(16);
  });

  it('may have windows beyond the context where positions are followed there', async () => {
    const tiny = { layers: 1, width: 16, heads: 2, context: 16, tokenizer: 'chars', model: 'llama' } as const;
    await train({ corpus: [at('book.txt')], run: at('short'), ...tiny });
    const config = { ...(await json('short/model/config.json')), rope_scaling: { rope_type: 'dynamic', factor: 2 } };
    await writeFile(at('short/model/config.json'), JSON.stringify(config));
    await rm(at('short/model/meanfield.json'));
    await fineTune('long', { from: at('short/model'), context: 32 });
    expect((await json('long/run.json')).options.context).toBe(32);
    expect(await json('long/model/config.json')).toMatchObject({ max_position_embeddings: 16 });
    await expect(fineTune('longer', { from: at('short/model'), context: 33 })).rejects.toThrow('must be at most 32');
    await fineTune('as-it-is', { from: at('short/model') });
    expect((await json('as-it-is/run.json')).options.context).toBe(16);
  });

  it('has rows for tokens that are added, is resumed to the bit, and can have more added', async () => {
    const added = { addTokens: ['<|user|>', 'ROMEO:'], steps: 20, warmup: 2, untilLoss: 100 };
    const { model } = await loadModel(at('base'));
    await fineTune('added', added);
    const whole = await fineTune('added-whole', { ...added, untilLoss: 1e-9 });
    await rm(at('added/checkpoints/000010'), { recursive: true });
    const resumed = await startTraining({ run: at('added'), resume: true, untilLoss: 1e-9 }).result;
    expect([resumed.step, resumed.valLoss]).toEqual([20, whole.valLoss]);
    const { vocabulary } = model.dimensions;
    expect((await json('added/model/config.json')).vocab_size).toBe(vocabulary + 2);
    expect((await json('added/run.json')).options).toMatchObject({ addTokens: ['<|user|>', 'ROMEO:'] });
    await fineTune('more', { from: at('added'), addTokens: ['<|helper|>'] });
    const { tokenizer } = await loadModel(at('more'));
    expect([...tokenizer.encode('<|user|>ROMEO:<|helper|>')]).toEqual([0, 1, 2].map((i) => vocabulary + i));
  });

  it('learns masked tokens where the model does', async () => {
    const tiny = { layers: 1, width: 16, heads: 2, context: 16, tokenizer: 'chars', model: 'bert' } as const;
    await train({ corpus: [at('book.txt')], run: at('masked'), ...tiny });
    await train({ corpus: [at('book.txt')], run: at('masked-on'), from: at('masked') });
    const { chosen, options } = await json('masked-on/run.json');
    expect(chosen.objective).toMatchObject({ name: 'masked', rate: 0.15 });
    expect(options.objective).toBe('masked');
  });

  it.each([
    [{ layers: 2, vocab: 300 }, '`layers`, `vocab`: the model that `from` names has its own. Leave them out'],
    [{ tokenizer: 'bpe' }, '`tokenizer`: the model that `from` names has its own. Leave it out'],
    [{ preset: 'nano', model: 'gpt2' }, '`preset`, `model`: the model'],
    [{ objective: 'masked' }, 'is a gpt2 model, which learns causal, chat or preference, not masked'],
    [{ addTokens: ['<|endoftext|>'] }, 'The token "<|endoftext|>" is in the tokenizer already, as id 0'],
    [{ addTokens: [] }, '`addTokens` names no token'],
    [{ plainTokens: true }, '`plainTokens` says what `addTokens` adds'],
    [{ addTokens: ['<a>'], freeze: ['wte.*'] }, "Take them back: `freeze: '!transformer.wte.weight'`"],
    [{ addTokens: ['<a>'], from: undefined }, '`addTokens` adds to the tokenizer of a model that exists'],
    [{ context: 17 }, '`context` must be at most 16'],
    [{ from: '/nowhere/at/all' }, 'There is no model in /nowhere/at/all'],
  ] as const)('refuses %j and leaves nothing', async (options, message) => {
    await expect(fineTune('refused', options as Partial<TrainOptions>)).rejects.toThrow(message);
    await expect(readdir(at('refused'))).rejects.toThrow();
  });

  it('is not begun with a tokenizer of more entries than the model knows', async () => {
    await mkdir(at('odd'));
    for (const name of await readdir(at('base/model')))
      await writeFile(at(`odd/${name}`), await readFile(at(`base/model/${name}`)));
    const tokenizer = await json('odd/tokenizer.json');
    const id = Object.keys(tokenizer.model.vocab).length;
    tokenizer.added_tokens.push({ id, content: '<|more|>', special: true });
    await writeFile(at('odd/tokenizer.json'), JSON.stringify(tokenizer));
    await expect(fineTune('odd-run', { from: at('odd') })).rejects.toThrow('do not belong together');
  });
});
