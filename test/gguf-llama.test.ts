import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { beforeAll, expect, test, vi } from 'vitest';
import { writeFileAtomic } from '../src/base/files/atomic.js';
import { loadTokenizer } from '../src/data/tokenizers/load.js';
import { parseTokenizer } from '../src/data/tokenizers/parse.js';
import type { Tokenizer } from '../src/data/tokenizers/tokenizer.js';
import { NodeEngine } from '../src/engine/node/engine.js';
import { exportModel } from '../src/export/export-model.js';
import { encodeGguf } from '../src/hub/gguf/encode.js';
import { smallModel, tokenizerOf, WRITTEN } from '../src/hub/gguf/gguf.test-support.js';
import type { GgufValue } from '../src/hub/gguf/header.js';
import { Metadata } from '../src/hub/gguf/metadata.js';
import { readTokenizer } from '../src/hub/gguf/read-tokenizer.js';
import { writtenModel } from '../src/hub/gguf/write-model.js';
import { type LoadedModel, loadModel, type MergeAdapter } from '../src/hub/load-model.js';
import { startTraining } from '../src/local/train.js';
import { mergeAdapter } from '../src/training/merge-adapter.js';
import { workFolder } from './command.js';
import scored from './fixtures/gguf/scored.json' with { type: 'json' };
import { logitsOf } from './logits.js';
import { modelPath, modelsThere } from './models/models.js';
import { programPath, programsThere } from './programs/programs.js';

vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

const corpus = new URL('../examples/tinyshakespeare.txt', import.meta.url).pathname;
const texts = [
  "The king — “who’s there?” — is naïve.\n\n 12 ducats!   \t It's 日本 🙂",
  '<|endoftext|>Speak<|endoftext|>',
];
const at = workFolder();
const merge: MergeAdapter = (...adapted) => mergeAdapter(new NodeEngine(), ...adapted);
let text = '';

beforeAll(async () => {
  text = (await readFile(corpus, 'utf8')).slice(0, 20_000);
  await writeFile(at('text.txt'), text);
});

interface Asked {
  readonly file: string;
  readonly texts: readonly string[];
  readonly ids: readonly number[];
}

/** What llama.cpp makes of files. */
async function llama(asked: readonly Asked[]): Promise<{ readonly tokens: number[][]; readonly loss: number }[]> {
  await writeFile(at('asked.json'), JSON.stringify(asked));
  const script = new URL('./programs/llama.mjs', import.meta.url).pathname;
  const module = programPath('node-llama-cpp/dist/index.js');
  const { stdout } = await promisify(execFile)(process.execPath, [script, module, at('asked.json')]);
  return JSON.parse(stdout);
}

/** The mean nats of all of some tokens but the first. */
async function lossOf(loaded: LoadedModel, ids: readonly number[]): Promise<number> {
  const logits = await logitsOf(loaded, ids.slice(0, -1));
  const nats = logits.map((scores, i) => {
    const most = scores.reduce((max, each) => Math.max(max, each));
    return Math.log(scores.reduce((sum, each) => sum + Math.exp(each - most), 0)) + most - scores[ids[i + 1]!]!;
  });
  return nats.reduce((sum, each) => sum + each, 0) / nats.length;
}

/** That llama.cpp has our tokens, and a perplexity within a part of ours. */
async function expectSame(
  all: readonly { file: string; loaded: LoadedModel; within: number; count: number; texts: readonly string[] }[],
) {
  const asked = all.map(({ file, loaded, count, texts }) => {
    const ids = [...loaded.tokenizer.encode(text.slice(0, 10 * count))].slice(0, count);
    return { file, ids, texts };
  });
  const answers = await llama(asked);
  for (const [i, { loaded, within, file }] of all.entries()) {
    const { tokens, loss } = answers[i]!;
    expect(tokens, file).toEqual(asked[i]!.texts.map((each) => [...loaded.tokenizer.encode(each)]));
    expect(Math.abs(Math.exp(loss - (await lossOf(loaded, asked[i]!.ids))) - 1), file).toBeLessThan(within);
  }
}

test.skipIf(!programsThere)('llama.cpp computes what models of each family compute here', async () => {
  const tokenizer = tokenizerOf(text, 400);
  const all = WRITTEN.map((family) => ({ family, change: {} }));
  const factors = { type: 'longrope', short_factor: [1, 1.1, 1.2, 1.5, 2, 2, 3, 4], long_factor: Array(8).fill(4) };
  const llama3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
  const more = [
    {
      family: 'llama',
      change: { rope_scaling: { rope_type: 'linear', factor: 2 }, attention_bias: true, mlp_bias: true },
    },
    { family: 'llama', change: { rope_scaling: { ...llama3, original_max_position_embeddings: 32 }, head_dim: 32 } },
    {
      family: 'llama',
      change: { rope_scaling: { rope_type: 'yarn', factor: 4, original_max_position_embeddings: 16 } },
    },
    {
      family: 'gemma3_text',
      change: { sliding_window: 8, sliding_window_pattern: 2, rope_scaling: { rope_type: 'linear', factor: 8 } },
    },
    {
      family: 'phi3',
      change: { rope_scaling: factors, original_max_position_embeddings: 512, max_position_embeddings: 1024 },
    },
  ] as const;
  const models = [...all, ...more].map(async ({ family, change }, i) => {
    const loaded = smallModel(family, tokenizer, change);
    const { metadata, tensors } = writtenModel(loaded, 'F32');
    const file = at(`${i}-${family}.gguf`);
    await writeFileAtomic(file, encodeGguf(metadata, tensors));
    return { file, loaded, texts, within: 0.005, count: 60 };
  });
  await expectSame(await Promise.all(models));
});

/** A tokenizer of SentencePiece's kind, as a GGUF file tells it. */
function scoredTokenizer({ prefix, tokens, scores, types }: (typeof scored.vocabularies)[number]): Promise<Tokenizer> {
  const metadata = new Map<string, GgufValue>([
    ['tokenizer.ggml.model', { type: 'STRING', value: 'llama' }],
    ['tokenizer.ggml.tokens', { type: 'ARRAY', of: 'STRING', value: tokens }],
    ['tokenizer.ggml.scores', { type: 'ARRAY', of: 'FLOAT32', value: scores }],
    ['tokenizer.ggml.token_type', { type: 'ARRAY', of: 'INT32', value: types }],
    ['tokenizer.ggml.add_space_prefix', { type: 'BOOL', value: prefix }],
  ]);
  return parseTokenizer(readTokenizer(new Metadata('scored.json', metadata), tokens.length), 'scored.json');
}

test.skipIf(!programsThere)(
  'llama.cpp has the tokens of tokenizers of SentencePiece’s kind, and Gemma’s own',
  async () => {
    const own = await Promise.all(scored.vocabularies.map(scoredTokenizer));
    const gemma = modelsThere ? [await loadTokenizer(modelPath('tokenizers/gemma3'))] : [];
    const made = [...own, ...gemma].map(async (tokenizer, i) => {
      const ids = scored.vocabularies[i]?.ids ?? scored.gemma3;
      expect(scored.texts.map((each) => [...tokenizer.encode(each)])).toEqual(ids);
      const loaded = smallModel((['llama', 'gemma2', 'gemma3_text'] as const)[i]!, tokenizer);
      const { metadata, tensors } = writtenModel(loaded, 'F32');
      const file = at(`scored-${i}.gguf`);
      await writeFileAtomic(file, encodeGguf(metadata, tensors));
      const again = await loadModel(file);
      for (const each of scored.texts) expect(again.tokenizer.encode(each)).toEqual(tokenizer.encode(each));
      return { file, loaded, texts: scored.texts, within: 0.005, count: 60 };
    });
    await expectSame(await Promise.all(made));
  },
);

test.skipIf(!programsThere)(
  'and what models trained here compute, of bytes or pairs, whole or with an adapter',
  async () => {
    const sizes = { layers: 2, width: 64, heads: 4, context: 256, batchSize: 4, threads: 1, lr: 3e-3 } as const;
    const base = { ...sizes, corpus: [at('text.txt')], steps: 30 } as const;
    await startTraining({ ...base, model: 'gpt2', tokenizer: 'bpe', vocab: 500, run: at('gpt2') }).result;
    await startTraining({ ...base, model: 'llama', tokenizer: 'bpe', vocab: 500, run: at('llama') }).result;
    await startTraining({ ...base, model: 'llama', tokenizer: 'bytes', run: at('bytes') }).result;
    const { corpus, threads } = base;
    await startTraining({
      corpus,
      threads,
      from: at('llama'),
      adapter: 'lora',
      rank: 4,
      lr: 1e-2,
      steps: 20,
      batchSize: 2,
      run: at('lora'),
    }).result;
    const runs = [
      ['gpt2', 'f32', 0.005],
      ['gpt2', 'q8_0', 0.01],
      ['llama', 'f16', 0.005],
      ['bytes', 'f32', 0.005],
      ['lora', 'f32', 0.005],
    ] as const;
    const all = [];
    for (const [run, dtype, within] of runs) {
      const file = at(`${run}-${dtype}.gguf`);
      await exportModel(at(run), { to: 'gguf', dtype, out: file });
      const loaded = await loadModel(at(run), merge);
      all.push({ file, loaded, within, count: 200, texts: run === 'bytes' ? [texts[0]!] : texts });
    }
    await expectSame(all);
  },
);

test.skipIf(!programsThere || !modelsThere)('and what SmolLM2 computes', async () => {
  const model = modelPath('SmolLM2-135M-Instruct');
  const loaded = await loadModel(model);
  const all = [];
  for (const [dtype, within] of [
    ['f16', 0.005],
    ['q8_0', 0.01],
  ] as const) {
    const file = at(`smol-${dtype}.gguf`);
    await exportModel(model, { to: 'gguf', dtype, out: file });
    all.push({ file, loaded, within, count: 200, texts: [...texts, '<|im_start|>user\nHi 1234<|im_end|>\n'] });
  }
  await expectSame(all);
});
