import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { MeanfieldError } from '../base/errors.js';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { Random } from '../base/random.js';
import { CharsTokenizer, EncodeError } from '../data/index.js';
import { NodeEngine } from '../engine/node/engine.js';
import { Model } from '../model/model.js';
import { Masked } from '../objectives/masked/masked.js';
import { Evaluator } from '../training/evaluation.js';
import { TextEvaluator, unseenCost } from './text-evaluator.js';

const fixtures = new URL('../../test/fixtures/', import.meta.url).pathname;
const expected = JSON.parse(await readFile(`${fixtures}evaluation/expected.json`, 'utf8')) as Record<
  string,
  Record<'one' | 'many', { ids: number[]; loss: number; accuracy: number }>
>;
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function open(name: string) {
  const model = Model.fromConfig(JSON.parse(await readFile(`${fixtures}models/${name}/config.json`, 'utf8')));
  const weights = await SafetensorsFile.open(`${fixtures}models/${name}/model.safetensors`);
  const parameters = new Float32Array(model.layout.size);
  for (const [key, view] of Object.entries(model.layout.views(parameters))) await weights.readFloat32(key, view);
  await weights.close();
  // One character, of two bytes, for each token.
  const tokenizer = new CharsTokenizer(Array.from({ length: model.dimensions.vocabulary }, (_, id) => 0x100 + id));
  const evaluator = new TextEvaluator({ model, parameters, tokenizer, engine: new NodeEngine() });
  cleanups.push(() => evaluator.dispose());
  const text = (ids: readonly number[], source = 'text') => ({
    ...{ bytes: tokenizer.decodeBytes(ids), source, end: true },
  });
  return { evaluator, text, tokenizer, model, parameters };
}

describe.each(Object.entries(expected))('evaluating by %s', (name, { one, many }) => {
  it("gives a text of one window the loss of Hugging Face's labels", async () => {
    const { evaluator, text } = await open(name);
    const result = await evaluator.evaluate([text(one.ids)]);
    expect(Math.abs(result.loss - one.loss)).toBeLessThan(2e-6);
    expect(result.accuracy).toBeCloseTo(one.accuracy, 12);
    expect(result.perplexity).toBeCloseTo(Math.exp(one.loss), 4);
    expect(result).toMatchObject({ tokens: one.ids.length - 1, bytes: 2 * one.ids.length });
    const bits = ((one.loss / Math.LN2) * (one.ids.length - 1)) / (2 * one.ids.length);
    expect(result.bitsPerByte).toBeCloseTo(bits, 5);
  });

  it('predicts every token but the first of a longer text once', async () => {
    const { evaluator, text } = await open(name);
    const result = await evaluator.evaluate([text(many.ids)]);
    expect(Math.abs(result.loss - many.loss)).toBeLessThan(2e-6);
    expect(result.accuracy).toBeCloseTo(many.accuracy, 12);
    expect(result.tokens).toBe(many.ids.length - 1);
  });

  it('weighs texts by their tokens, each with a first token of its own', async () => {
    const { evaluator, text } = await open(name);
    const progress: number[] = [];
    const result = await evaluator.evaluate([text(one.ids), text(many.ids)], { progress: (n) => progress.push(n) });
    const [a, b] = [one.ids.length - 1, many.ids.length - 1];
    expect(result.loss).toBeCloseTo((a * one.loss + b * many.loss) / (a + b), 5);
    expect(progress).toEqual([a, a + b]);
  });
});

describe.each(Object.keys(expected))('windows of %s that overlap', (name) => {
  const ids = expected[name]!.many.ids;

  it.each([1, 3, 5])(
    '%d tokens after each other tell each token from what is before it in its window',
    async (stride) => {
      const { evaluator, text, model } = await open(name);
      const { context } = model.dimensions;
      const nats = async (part: readonly number[]) => {
        if (part.length < 2) return 0;
        const { loss, tokens } = await evaluator.evaluate([text(part)]);
        return loss * tokens;
      };
      // What a window tells last costs what it costs with the tokens before, less what those cost.
      let all = await nats(ids.slice(0, context + 1));
      for (let told = context; told < ids.length - 1; told += stride) {
        const start = told - (context - stride);
        all += (await nats(ids.slice(start, start + context + 1))) - (await nats(ids.slice(start, told + 1)));
      }
      const result = await evaluator.evaluate([text(ids)], { stride });
      expect(result.tokens).toBe(ids.length - 1);
      expect(result.loss).toBeCloseTo(all / (ids.length - 1), 5);
    },
  );

  it('the context after each other are those of no stride', async () => {
    const { evaluator, text, model } = await open(name);
    const { context } = model.dimensions;
    expect(await evaluator.evaluate([text(ids)], { stride: context })).toEqual(await evaluator.evaluate([text(ids)]));
    const above = evaluator.evaluate([text(ids)], { stride: context + 1 });
    await expect(above).rejects.toThrow(`is ${context + 1}, and the model's context ${context}`);
  });
});

describe('TextEvaluator', () => {
  it('takes a text of two tokens', async () => {
    const { evaluator, text } = await open('gpt2');
    const { loss, tokens } = await evaluator.evaluate([text([1, 2])]);
    expect(tokens).toBe(1);
    expect(loss).toBeGreaterThan(0);
  });

  it('passes over a text of one token, and refuses where there is no other', async () => {
    const { evaluator, text } = await open('gpt2');
    const alone = await evaluator.evaluate([text([1, 2])]);
    const both = await evaluator.evaluate([text([1, 2]), text([1], 'b.txt')]);
    expect(both).toEqual({ ...alone, tooShort: 1 });
    await expect(evaluator.evaluate([text([1], 'b.txt')])).rejects.toThrow('b.txt has 1 tokens');
    await expect(evaluator.evaluate([])).rejects.toThrow('no text');
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('a weight of %s is an error that names it', async (value) => {
    const { evaluator, text, model, parameters } = await open('gpt2');
    const { name, offset, size } = model.layout.entries.at(-1)!;
    parameters.fill(value, offset + size - 1, offset + size);
    const failing = evaluator.evaluate([text([1, 2, 3], 'a.txt')]);
    await expect(failing).rejects.toThrow(MeanfieldError);
    await expect(failing).rejects.toThrow(new RegExp(`loss on a\\.txt is (NaN|Infinity)\\. ${name} holds NaN`));
  });

  it('a perplexity beyond every number is an error', async () => {
    const { evaluator, text, parameters } = await open('llama');
    const ids = Array.from({ length: 9 }, (_, i) => i);
    for (let i = 0; i < parameters.length; i++) parameters[i]! *= 1e3;
    await expect(evaluator.evaluate([text(ids)])).rejects.toThrow(/perplexity is beyond every number/);
  });

  it('names the text that is none, with the place', async () => {
    const { evaluator } = await open('gpt2');
    const pieces = [
      { bytes: Buffer.from('ĀāĂ'), source: 'c.txt', end: false },
      { bytes: Uint8Array.of(0xff), source: 'c.txt', end: true },
    ];
    const foreign = evaluator.evaluate(pieces);
    await expect(foreign).rejects.toThrow(EncodeError);
    await expect(foreign).rejects.toThrow('at byte 6 of c.txt');
  });

  it('charges a character that the tokenizer does not know, and goes on', async () => {
    const { evaluator, text, tokenizer } = await open('gpt2');
    const cost = unseenCost(tokenizer.vocabularySize);
    expect(cost).toBeCloseTo(Math.log(1_112_064 - tokenizer.vocabularySize), 12);
    const known = await evaluator.evaluate([text([1, 2])]);
    // The last is never read, so what stands in for it does not matter.
    const bytes = Buffer.concat([tokenizer.decodeBytes([1, 2]), Buffer.from('漢')]);
    const result = await evaluator.evaluate([{ bytes, source: 'c.txt', end: true }]);
    expect(result.loss).toBeCloseTo((known.loss + cost) / 2, 5);
    expect(result).toMatchObject({ tokens: 2, bytes: 7, unseen: 1, unseenCost: cost });
    expect(result.accuracy).toBeCloseTo(known.accuracy / 2, 12);
    const between = Buffer.concat([tokenizer.decodeBytes([1]), Buffer.from('漢'), tokenizer.decodeBytes([2])]);
    expect(await evaluator.evaluate([{ bytes: between, source: 'd', end: true }])).toMatchObject({ unseen: 1 });
  });

  it('gives a text in pieces the figures of the whole', async () => {
    const { evaluator, tokenizer } = await open('gpt2');
    const ids = Array.from({ length: 9000 }, (_, i) => (i * i) % tokenizer.vocabularySize);
    const bytes = tokenizer.decodeBytes(Array.from({ length: 20 }, () => ids).flat());
    const cuts = [0, 1, 2, 131_072, 131_073, 300_001, bytes.length];
    const pieces = cuts.slice(1).map((to, i) => ({
      ...{ bytes: bytes.subarray(cuts[i], to), source: 'a', end: to === bytes.length },
    }));
    const whole = await evaluator.evaluate([{ bytes, source: 'a', end: true }]);
    const cut = await evaluator.evaluate(pieces);
    expect(cut.loss).toBeCloseTo(whole.loss, 12);
    expect(cut).toMatchObject({ tokens: 179_999, bytes: 360_000, accuracy: whole.accuracy });
  });

  it('stops on a signal', async () => {
    const { evaluator, text } = await open('gpt2');
    const controller = new AbortController();
    const many = { signal: controller.signal, progress: () => controller.abort() };
    await expect(evaluator.evaluate([text(Array(5000).fill(1))], many)).rejects.toThrow('aborted');
  });

  describe('of a model that tells masked tokens', () => {
    const V = 60;
    const context = 16;
    const model = Model.create('bert', { layers: 1, width: 16, heads: 2, keyValueHeads: 2, context, vocabulary: V });
    const points = Array.from({ length: V - 1 }, (_, id) => 0x100 + id);
    const masking = (mask = true, parameters = new Float32Array(model.layout.size)) => {
      const tokenizer = new CharsTokenizer(points, { mask });
      const evaluator = new TextEvaluator({ model, parameters, tokenizer, engine: new NodeEngine() });
      cleanups.push(() => evaluator.dispose());
      return evaluator;
    };
    const textOf = (length: number, more = '') => ({
      ...{ source: 'a', end: true },
      bytes: Buffer.from(`${String.fromCodePoint(...Array.from({ length }, (_, i) => points[(i * i) % 59]!))}${more}`),
    });

    it('asks for a share of the tokens, always the same ones, and gives no bits a byte', async () => {
      const parameters = model.layout.initialize(new Random(3)).map((value) => 30 * value);
      const evaluator = masking(true, parameters);
      const first = await evaluator.evaluate([textOf(1500)]);
      expect(first.tokens).toBeGreaterThan(0.1 * 1500);
      expect(first.tokens).toBeLessThan(0.2 * 1500);
      expect(first).toMatchObject({ bytes: 3000, unseen: 0, unseenCost: 0, tooShort: 0 });
      expect(first.accuracy).toBeGreaterThanOrEqual(0);
      expect('bitsPerByte' in first).toBe(false);
      expect(await evaluator.evaluate([textOf(1500)])).toEqual(first);
    });

    it('takes no stride', async () => {
      await expect(masking().evaluate([textOf(100)], { stride: 4 })).rejects.toThrow(
        'is of models that tell the next token',
      );
    });

    it('has the loss of the objective on the same windows', async () => {
      const parameters = model.layout.initialize(new Random(3)).map((value) => 30 * value);
      const { loss, tokens } = await masking(true, parameters).evaluate([textOf(10 * context)]);
      const objective = new Masked(model, { context, seed: 0, rate: 0.15, mask: V - 1 });
      const evaluator = new Evaluator(objective, new NodeEngine(), 3);
      cleanups.push(() => evaluator.dispose());
      const ids = Int32Array.from({ length: 10 * context }, (_, i) => (i * i) % 59);
      const windows = Array.from({ length: 10 }, (_, i) => ({
        ids: ids.subarray(i * context, (i + 1) * context),
        number: ['evaluation', i] as const,
      }));
      const { sum, weight } = await evaluator.lossSum(parameters, windows);
      expect(tokens).toBe(weight);
      expect(loss).toBeCloseTo(sum / weight, 5);
    });

    it('knows nothing without weights, and is not asked for what the vocabulary lacks', async () => {
      const result = await masking().evaluate([textOf(200, '漢字'.repeat(100))]);
      expect(result.loss).toBeCloseTo(Math.log(V), 5);
      expect(result).toMatchObject({ unseen: 200, unseenCost: 0 });
      expect(result.tokens).toBeLessThan(0.25 * 200);
    });

    it('is refused without a mask token', () => {
      expect(() => masking(false)).toThrow(/tokenizer has no mask/);
    });
  });
});
