import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { NodeEngine } from '../src/engine/node/engine.js';
import { exportModel } from '../src/export/export-model.js';
import { loadModel, type MergeAdapter } from '../src/hub/load-model.js';
import { load } from '../src/inference/load.js';
import { startTraining } from '../src/local/train.js';
import { mergeAdapter } from '../src/training/merge-adapter.js';
import { workFolder } from './command.js';
import minilm from './fixtures/sentence/expected-minilm.json' with { type: 'json' };
import { logitsOf } from './logits.js';
import { modelPath, modelsThere } from './models/models.js';
import { programPath, programsThere } from './programs/programs.js';

vi.setConfig({ testTimeout: 300_000 });

const text = 'The king — “who’s there?” — is naïve. 12 ducats!\n';
const at = workFolder();
const merge: MergeAdapter = (...adapted) => mergeAdapter(new NodeEngine(), ...adapted);

/** What transformers.js makes of a folder here. */
async function theirs(name: string, task: object) {
  const child = new URL('./programs/transformers.mjs', import.meta.url).pathname;
  const module = programPath('@huggingface/transformers/dist/transformers.node.mjs');
  const given = [child, module, at('.'), name, JSON.stringify(task)];
  const { stdout } = await promisify(execFile)(process.execPath, given, { maxBuffer: 2 ** 28 });
  return JSON.parse(stdout);
}

/** Tokens that two programs may choose between otherwise: our scores of both are nearer than this. */
const NEAR_TIE = 1e-3;

/** That each token is the likeliest by our own logits of what stands before it, near ties apart. */
async function expectGreedy(model: string, prompt: readonly number[], tokens: readonly number[]): Promise<void> {
  const logits = await logitsOf(await loadModel(model, merge), [...prompt, ...tokens.slice(0, -1)]);
  for (const [i, token] of tokens.entries()) {
    const row = logits[prompt.length - 1 + i]!;
    expect(Math.max(...row) - row[token]!).toBeLessThan(NEAR_TIE);
  }
}

const difference = (a: readonly number[], b: readonly number[]) =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);

const prompts = ['The king', 'is naïve. 12', 'who’s'];

describe.skipIf(!programsThere)('export --to onnx, run by transformers.js (skipped without MEANFIELD_PROGRAMS)', () => {
  beforeAll(async () => {
    await writeFile(at('text.txt'), text.repeat(300));
    const sizes = { layers: 2, width: 32, heads: 4, context: 64, batchSize: 4, threads: 1, lr: 3e-3, steps: 60 };
    const base = { ...sizes, tokenizer: 'bpe', vocab: 300, corpus: [at('text.txt')] } as const;
    await startTraining({ ...base, model: 'gpt2', run: at('run-gpt2') }).result;
    await startTraining({ ...base, model: 'llama', kvHeads: 2, run: at('run-llama') }).result;
    const lora = { from: at('run-llama'), adapter: 'lora', rank: 4, lr: 1e-2, steps: 10 } as const;
    await startTraining({ ...lora, batchSize: 2, threads: 1, corpus: [at('text.txt')], run: at('run-lora') }).result;
    for (const name of ['gpt2', 'llama', 'lora'])
      await exportModel(at(`run-${name}`), { to: 'onnx', also: ['fp16', 'q8', 'q4', 'q4f16'], out: at(name) });
  }, 300_000);

  it.each(['gpt2', 'llama', 'lora'])('%s: the tokens that we choose, and the same logits', async (name) => {
    const loaded = await loadModel(at(`run-${name}`), merge);
    const rows = prompts.map((prompt) => [...loaded.tokenizer.encode(prompt)]);
    expect(await theirs(name, { kind: 'ids', texts: prompts })).toEqual(rows);
    for (const ids of rows) {
      const made = await theirs(name, { kind: 'generate', dtype: 'fp32', rows: [ids], tokens: 12 });
      expect(difference((await logitsOf(loaded, ids)).at(-1)!, made.logits[0])).toBeLessThan(1e-4);
      await expectGreedy(at(`run-${name}`), ids, made.tokens[0]);
    }
  });

  it.each(['gpt2', 'llama'])('%s: texts together, filled up on the left, as each alone', async (name) => {
    const { tokenizer } = await loadModel(at(`run-${name}`));
    const rows = prompts.map((prompt) => [...tokenizer.encode(prompt)]);
    const together = await theirs(name, { kind: 'generate', dtype: 'fp32', rows, tokens: 12 });
    for (const [i, ids] of rows.entries()) {
      const alone = await theirs(name, { kind: 'generate', dtype: 'fp32', rows: [ids], tokens: 12 });
      expect(difference(together.logits[i], alone.logits[0])).toBeLessThan(1e-4);
      await expectGreedy(at(`run-${name}`), ids, together.tokens[i]);
    }
  });

  // Nats a token that are lost, of a model that has learnt the text: several times what was measured.
  it.each([
    ['fp16', 0.01],
    ['q8', 0.1],
    ['q4', 0.5],
    ['q4f16', 0.5],
  ] as const)('%s generates, and loses no more than %f nats a token', async (dtype, most) => {
    for (const name of ['gpt2', 'llama']) {
      const { tokenizer } = await loadModel(at(`run-${name}`));
      const rows = [[...tokenizer.encode(text)].slice(0, 48)];
      const [exact, rounded] = [
        await theirs(name, { kind: 'loss', dtype: 'fp32', rows }),
        await theirs(name, { kind: 'loss', dtype, rows }),
      ];
      expect(rounded - exact).toBeLessThan(most);
      const made = await theirs(name, { kind: 'generate', dtype, rows: [rows[0]!.slice(0, 4)], tokens: 8 });
      expect(made.tokens[0]).toHaveLength(8);
    }
  });

  it('is read with its weights outside, and says what it has', async () => {
    const made = await exportModel(at('run-llama'), { to: 'onnx', dtype: 'q8', shardSize: 20e-6, out: at('outside') });
    expect(made.files).toContain('onnx/model_quantized.onnx_data');
    const { 'transformers.js_config': own, num_key_value_heads } = JSON.parse(
      await readFile(at('outside/config.json'), 'utf8'),
    );
    expect(num_key_value_heads).toBe(2);
    expect(own.dtype).toBe('q8');
    expect(own.use_external_data_format['model_quantized.onnx']).toBeGreaterThan(0);
    const ids = [...(await loadModel(at('run-llama'))).tokenizer.encode('The king')];
    const rows = [ids];
    const [outside, inside] = [
      await theirs('outside', { kind: 'generate', rows, tokens: 4 }),
      await theirs('llama', { kind: 'generate', dtype: 'q8', rows, tokens: 4 }),
    ];
    expect(outside).toEqual(inside);
  });

  it('an encoder-decoder writes what it writes here, in each number of bits, and of texts by the pipeline', async () => {
    const words = ['one', 'two', 'three', 'four', 'five', 'six'];
    const pairs = words.flatMap((a) => words.map((b) => ({ source: `${a} and ${b}`, target: `${b} ${a}` })));
    await writeFile(at('rows.jsonl'), pairs.map((row) => JSON.stringify(row)).join('\n'));
    await startTraining({
      ...{ corpus: [at('rows.jsonl')], objective: 'seq2seq', run: at('run-t5'), tokenizer: 'bpe', vocab: 300 },
      ...{ layers: 2, width: 32, heads: 4, context: 32, batchSize: 8, threads: 1, lr: 5e-3, steps: 250 },
    }).result;
    await exportModel(at('run-t5'), { to: 'onnx', also: ['fp16', 'q8', 'q4'], out: at('t5') });
    await using model = await load(at('run-t5'), { threads: 1 });
    const { tokenizer } = await loadModel(at('run-t5'));
    const end = tokenizer.endOfText!;
    const sources = ['one and six', 'three and three and two', 'five'];
    const ours: string[] = [];
    for (const prompt of sources)
      ours.push((await model.generate({ prompt, temperature: 0, maxTokens: 12 }).result()).text);
    const rows = sources.map((text) => [...tokenizer.encode(text), end]);
    const textOf = (ids: readonly number[]) => tokenizer.decode(ids.slice(0, [...ids, end].indexOf(end)));
    const exact = await theirs('t5', { kind: 'seq2seq', dtype: 'fp32', rows, tokens: 12 });
    expect(exact.alone.map(textOf)).toEqual(ours);
    expect(exact.together.map(textOf)).toEqual(ours);
    for (const dtype of ['fp16', 'q8', 'q4'])
      expect(
        textOf((await theirs('t5', { kind: 'seq2seq', dtype, rows: rows.slice(0, 1), tokens: 12 })).alone[0]),
      ).toBe(ours[0]);
    const texts = sources.map((text) => text + tokenizer.decode([end]));
    expect(await theirs('t5', { kind: 'text2text', dtype: 'fp32', texts, tokens: 12 })).toEqual(ours);
  });

  describe.skipIf(!modelsThere)('of pretrained models (skipped without MEANFIELD_MODELS)', () => {
    it('SmolLM2 answers as here, and 8 and 4 bits are bounded', async () => {
      const model = modelPath('SmolLM2-135M-Instruct');
      await exportModel(model, { to: 'onnx', also: ['fp16', 'q8', 'q4'], out: at('smol') });
      const loaded = await loadModel(model);
      const ids = [...loaded.tokenizer.encode('The capital of France is')];
      const made = await theirs('smol', { kind: 'generate', dtype: 'fp32', rows: [ids], tokens: 12 });
      expect(difference((await logitsOf(loaded, ids)).at(-1)!, made.logits[0])).toBeLessThan(1e-3);
      await expectGreedy(model, ids, made.tokens[0]);
      const question = 'What is the capital of France?';
      expect(await theirs('smol', { kind: 'chat', dtype: 'q8', texts: [question], tokens: 16 })).toMatch(/Paris/);
      const page = await readFile(new URL('../docs/concepts.md', import.meta.url), 'utf8');
      const rows = [[...loaded.tokenizer.encode(page)].slice(0, 256)];
      const exact = await theirs('smol', { kind: 'loss', dtype: 'fp32', rows });
      for (const [dtype, most] of [
        ['fp16', 0.01],
        ['q8', 0.15],
        ['q4', 0.25],
      ] as const)
        expect((await theirs('smol', { kind: 'loss', dtype, rows })) - exact, dtype).toBeLessThan(most);
    });

    it('MiniLM has the vectors of embed', async () => {
      const model = modelPath('all-MiniLM-L6-v2');
      await exportModel(model, { to: 'onnx', out: at('minilm') });
      // A longer one loses its last special token where transformers.js cuts it.
      const texts = minilm.texts.map((each) => each.slice(0, 600));
      await using here = await load(model, { threads: 1 });
      const ours = (await here.embed(texts)).map((vector) => [...vector]);
      const made = await theirs('minilm', { kind: 'embed', texts });
      expect(difference(made.flat(), ours.flat())).toBeLessThan(1e-5);
    });
  });
});
