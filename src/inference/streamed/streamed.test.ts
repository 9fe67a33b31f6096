import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { writeFileSynced } from '../../base/files/atomic.js';
import type { JsonObject } from '../../base/json.js';
import { Random } from '../../base/random.js';
import { encodeSafetensors } from '../../base/safetensors-writer.js';
import { BytesTokenizer } from '../../data/index.js';
import { NodeEngine } from '../../engine/node/engine.js';
import { loadModel } from '../../hub/load-model.js';
import { Model } from '../../model/model.js';
import { Generator } from '../generator.js';
import { TextEvaluator } from '../text-evaluator.js';
import { StreamedDecoder } from './decoder.js';
import { openLayers } from './layer-files.js';
import { StreamedScorer } from './scorer.js';
import { StreamedTeller } from './teller.js';

const engine = new NodeEngine();
const compile = { threads: 1 };
const SIZES = { layers: 3, width: 32, heads: 4, context: 48, vocabulary: 256 };
const TEXT = 'The quick brown fox jumps over the lazy dog, again and again, until nobody counts any more. '.repeat(8);

const left: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const one of left.splice(0).reverse()) await one();
});

/** A folder of a model with random weights, large enough that what it says differs from token to token. */
async function folderOf(family: string, more: JsonObject, rounded?: 'BF16' | 'F16') {
  const made = Model.create(family, { ...SIZES, keyValueHeads: family === 'gpt2' ? 4 : 2 });
  const model = Model.fromConfig({ ...(made.config as object), ...more });
  const random = new Random(7);
  const parameters = Float32Array.from({ length: model.layout.size }, () => 0.2 * random.normal());
  const folder = await mkdtemp(join(tmpdir(), 'meanfield-layers-'));
  left.push(() => rm(folder, { recursive: true }));
  const views = model.layout.views(parameters);
  const tensors = model.layout.entries.map(({ name, shape }) => ({ name, shape, data: views[name]!, rounded }));
  await writeFileSynced(join(folder, 'model.safetensors'), encodeSafetensors(tensors, { format: 'pt' }));
  await writeFile(join(folder, 'config.json'), JSON.stringify(model.config));
  for (const [name, text] of Object.entries(new BytesTokenizer().files())) await writeFile(join(folder, name), text);
  return folder;
}

async function opened(folder: string) {
  const layers = await openLayers(folder);
  left.push(() => layers.tensors.close());
  return { whole: await loadModel(folder), layers };
}

const families = [
  ['gpt2', {}, undefined],
  ['llama', { tie_word_embeddings: true }, 'BF16'],
  ['llama', { tie_word_embeddings: false }, 'F16'],
  ['qwen3', {}, 'BF16'],
  ['gemma2', { sliding_window: 16 }, 'BF16'],
] as const;

function textsOf(...texts: string[]) {
  return texts.map((text, i) => ({ source: `${i}`, bytes: new TextEncoder().encode(text), end: true }));
}

describe.each(families)('%s %j in %s, layer by layer', (family, more, rounded) => {
  it('tells texts as it does in memory', async () => {
    const { whole, layers } = await opened(await folderOf(family, more, rounded));
    const { model } = whole;
    const work = { ...whole, engine, compile };
    // So few at once that there are several visits, the last of windows of several lengths.
    const scorer = new StreamedScorer({ ...work, tensors: layers.tensors, atOnce: 400 });
    const streamed = new TextEvaluator({
      ...work,
      parameters: new Float32Array(0),
      teller: new StreamedTeller(scorer, model, 0),
    });
    const inMemory = new TextEvaluator(work);
    left.push(
      () => streamed.dispose(),
      () => inMemory.dispose(),
    );
    const texts = textsOf(TEXT, 'Short.', TEXT.slice(5, 300));
    const [one, other] = [await streamed.evaluate(texts), await inMemory.evaluate(texts)];
    const { loss, perplexity, bitsPerByte, ...counts } = one;
    expect(loss / other.loss).toBeCloseTo(1, 6);
    expect(perplexity / other.perplexity).toBeCloseTo(1, 5);
    expect(bitsPerByte! / other.bitsPerByte!).toBeCloseTo(1, 6);
    const { loss: _l, perplexity: _p, bitsPerByte: _b, ...otherCounts } = other;
    expect(counts).toEqual(otherCounts);
  });

  it('writes as it does in memory, past its context too', async () => {
    const { whole, layers } = await opened(await folderOf(family, more, rounded));
    const work = { ...whole, engine, compile };
    const decoder = new StreamedDecoder({ ...work, tensors: layers.tensors });
    const streamed = new Generator({ ...work, parameters: new Float32Array(0), decoder });
    const inMemory = new Generator(work);
    left.push(
      () => streamed.dispose(),
      () => inMemory.dispose(),
    );
    for (const options of [
      { prompt: 'The quick', temperature: 0, maxTokens: 60 },
      { prompt: 'Lazy dogs', seed: 5, maxTokens: 30 },
    ]) {
      const [one, other] = [await streamed.generate(options).result(), await inMemory.generate(options).result()];
      expect(one.text).toBe(other.text);
      expect(one.tokens).toBe(options.maxTokens);
    }
  });
});

it('is stopped between two layers', async () => {
  const { whole, layers } = await opened(await folderOf('gpt2', {}));
  const controller = new AbortController();
  const { tensors } = layers;
  const stopping: typeof tensors.readRange = (name, ...more) => {
    if (name.includes('.h.1.')) controller.abort();
    return tensors.readRange(name, ...more);
  };
  // All of the text goes through a layer in one visit.
  const scorer = new StreamedScorer({
    ...{ ...whole, engine, compile, atOnce: 8192 },
    tensors: { ...tensors, readRange: stopping },
  });
  const teller = new StreamedTeller(scorer, whole.model, 0);
  const evaluator = new TextEvaluator({ ...whole, engine, compile, parameters: new Float32Array(0), teller });
  left.push(() => evaluator.dispose());
  const { signal } = controller;
  await expect(evaluator.evaluate(textsOf(TEXT), { signal })).rejects.toThrow('aborted');
});
