import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { NodeEngine } from '../engine/node/engine.js';
import { decoderFixtures, openDecoder, openGenerated, T, tokenAt } from '../model/decoder.test-support.js';
import { Model } from '../model/model.js';
import { ContextWindow } from './context-window.js';
import { Decoder } from './decoder.js';
import { expectClose, largest, withoutCache } from './decoder.test-support.js';

const fixtures = new URL('../../test/fixtures/models/', import.meta.url).pathname;
const engine = new NodeEngine();
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function open(name: string) {
  const model = Model.fromConfig(JSON.parse(await readFile(`${fixtures}${name}/config.json`, 'utf8')));
  const weights = await SafetensorsFile.open(`${fixtures}${name}/model.safetensors`);
  const expected = await SafetensorsFile.open(`${fixtures}${name}/expected.safetensors`);
  const parameters = new Float32Array(model.layout.size);
  for (const [key, view] of Object.entries(model.layout.views(parameters))) await weights.readFloat32(key, view);
  const decoder = new Decoder({ model, parameters, engine });
  const bytes = await expected.readBytes('input_ids');
  const sequences = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  cleanups.push(
    () => weights.close(),
    () => expected.close(),
    () => decoder.dispose(),
  );
  return { model, parameters, decoder, sequences, logits: await expected.readFloat32('logits') };
}

describe.each(['gpt2', 'llama', 'llama-tied'])('a decoder of %s', (name) => {
  it('gives the logits of PyTorch, token by token and in pieces of every size', async () => {
    const { model, decoder, sequences, logits } = await open(name);
    const V = model.dimensions.vocabulary;
    for (const size of [1, 2, 3, 5, 13]) {
      for (let b = 0; b < 3; b++) {
        decoder.clear();
        for (let t = 0; t < 13; t += size) {
          const piece = sequences.subarray(13 * b + t, 13 * b + Math.min(13, t + size));
          const step = await decoder.step(piece);
          expect(step.taken).toBe(piece.length);
          const row = 13 * b + decoder.length - 1;
          expectClose(step.logits, logits.subarray(row * V, (row + 1) * V));
        }
      }
    }
  });

  it('gives the logits of PyTorch without a cache', async () => {
    const { model, parameters, sequences, logits } = await open(name);
    const V = model.dimensions.vocabulary;
    expectClose(await withoutCache(engine, model, parameters, sequences.subarray(0, 13)), logits.subarray(0, 13 * V));
  });

  it('picks the same greedy tokens with the cache as without', async () => {
    const { model, parameters, decoder } = await open(name);
    const V = model.dimensions.vocabulary;
    const ids = [3, 1];
    let { logits } = await decoder.step(ids);
    while (ids.length < 16) {
      const full = await withoutCache(engine, model, parameters, ids);
      const last = full.subarray(-V);
      expectClose(logits, last);
      expect(largest(logits)).toBe(largest(last));
      ids.push(largest(logits));
      ({ logits } = await decoder.step(ids.slice(-1)));
    }
    expect(decoder.length).toBe(decoder.context);
    await expect(decoder.step([1])).rejects.toThrow('cannot add 1 tokens to 16 of at most 16');
  });
});

describe.each(decoderFixtures)('a decoder of %s', (name) => {
  it('gives the logits of PyTorch in pieces, and the same greedy tokens with the cache as without', async () => {
    const { fixture, model, parameters } = openDecoder(name);
    const V = model.dimensions.vocabulary;
    const decoder = new Decoder({ model, parameters, engine });
    cleanups.push(() => decoder.dispose());
    for (const size of [1, 4, T]) {
      decoder.clear();
      for (let t = 0; t < T; t += size) {
        const length = Math.min(size, T - t);
        const { logits } = await decoder.step(Array.from({ length }, (_, i) => tokenAt(1, t + i)));
        const row = T + decoder.length - 1;
        expectClose(logits, Float32Array.from(fixture.logits.slice(row * V, (row + 1) * V)));
      }
    }
    decoder.clear();
    const ids = [3, 1];
    let { logits } = await decoder.step(ids);
    while (ids.length < decoder.turn) {
      const last = (await withoutCache(engine, model, parameters, ids)).subarray(-V);
      expectClose(logits, last);
      expect(largest(logits)).toBe(largest(last));
      ids.push(largest(logits));
      ({ logits } = await decoder.step(ids.slice(-1)));
    }
    expect(decoder.turn).toBe(16);
  });
});

describe('a decoder with a long context', () => {
  it('grows its cache and prefills in several runs with the logits of one pass', async () => {
    const sizes = { layers: 2, width: 16, heads: 4, keyValueHeads: 2, context: 300, vocabulary: 11 };
    const { config } = Model.create('gemma3_text', sizes);
    // Windows that are shorter than a step, and than what is kept from the step before.
    const windows = {
      ...(config as object),
      sliding_window: 150,
      layer_types: ['sliding_attention', 'full_attention'],
    };
    const models = [Model.create('gpt2', sizes), Model.create('llama', sizes), Model.fromConfig(windows)];
    for (const model of models) {
      const parameters = Float32Array.from({ length: model.layout.size }, (_, i) => Math.sin(i * 12.9898) * 0.3);
      const decoder = new Decoder({ model, parameters, engine });
      cleanups.push(() => decoder.dispose());
      const ids = Array.from({ length: 300 }, (_, i) => (i * i + 3 * i) % 11);
      const full = await withoutCache(engine, model, parameters, ids);
      const taken: number[] = [];
      let left = ids;
      while (left.length > 0) {
        // 128 and 128 from the prompt, then 40 and single tokens.
        const step = await decoder.step(decoder.length < 256 ? left : left.slice(0, decoder.length === 256 ? 40 : 1));
        left = left.slice(step.taken);
        taken.push(step.taken);
        expectClose(step.logits, full.subarray((decoder.length - 1) * 11, decoder.length * 11));
      }
      expect(taken).toEqual([128, 128, 40, 1, 1, 1, 1]);
    }
  });
});

describe('a decoder whose positions change with the length', () => {
  it('writes past the original context as Python transformers does, whatever is read at once', async () => {
    const { fixture, model, parameters } = openGenerated('phi3-longrope');
    const V = model.dimensions.vocabulary;
    expect([model.dimensions.context, model.reach]).toEqual([8, { read: 64, written: 64 }]);
    const written = fixture.logits.length / V;
    const first = fixture.ids.length - written;
    for (const begin of [first, 8, 9, 12]) {
      const decoder = new Decoder({ model, parameters, engine });
      cleanups.push(() => decoder.dispose());
      const window = new ContextWindow(decoder);
      for (let n = begin; n < fixture.ids.length; n++) {
        const logits = (await window.read(fixture.ids.slice(0, n)))!;
        const row = n - first;
        expectClose(logits, Float32Array.from(fixture.logits.slice(row * V, (row + 1) * V)));
        expect(decoder.length).toBe(n);
      }
    }
  });

  it('reads a long prompt in several runs with the positions of its whole length', async () => {
    const { fixture } = openGenerated('phi3-longrope');
    const longer = { original_max_position_embeddings: 150, max_position_embeddings: 400 };
    const model = Model.fromConfig({ ...fixture.config, ...longer });
    const parameters = Float32Array.from({ length: model.layout.size }, (_, i) => Math.sin(i * 12.9898) * 0.3);
    const decoder = new Decoder({ model, parameters, engine });
    cleanups.push(() => decoder.dispose());
    const ids = Array.from({ length: 300 }, (_, i) => (i * i + 3 * i) % 11);
    for (const n of [140, 150, 151, 290]) {
      const window = new ContextWindow(decoder);
      decoder.clear();
      const last = (await withoutCache(engine, model, parameters, ids.slice(0, n))).subarray(-11);
      expectClose((await window.read(ids.slice(0, n)))!, last);
    }
    decoder.clear();
    await decoder.step(ids.slice(0, 100));
    await expect(decoder.step(ids.slice(100, 160))).rejects.toThrow('cannot continue 100 tokens beyond 150');
  });

  it('writes no further than the context under dynamic scaling, beyond which it reads', () => {
    const rope = { rope_type: 'dynamic', factor: 2.5 };
    const sizes = { layers: 1, width: 8, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 11 };
    const model = Model.fromConfig({ ...(Model.create('llama', sizes).config as object), rope_scaling: rope });
    expect(model.reach).toEqual({ read: 20, written: 8 });
    const decoder = new Decoder({ model, parameters: new Float32Array(model.layout.size), engine });
    expect(decoder.context).toBe(8);
  });
});
