import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import type { Engine } from '../../engine/engine.js';
import { createEngine } from '../../engine/node/create.js';
import { withoutCache } from '../../inference/decoder.test-support.js';
import { Model } from '../../model/model.js';
import { decoderGraph } from './decoder-graph.js';
import { singleWeight, withWeights } from './onnx-file.js';
import { onnxParts } from './onnx-parts.js';

const families = ['gpt2', 'llama', 'mistral', 'qwen2', 'qwen3', 'smollm3', 'phi3', 'gemma', 'gemma2', 'gemma3_text'];
const sizes = { layers: 2, width: 32, heads: 4, context: 16, vocabulary: 50 };

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('cpu');
});

const int64 = (values: readonly number[], dims: readonly number[]) =>
  new Tensor('int64', BigInt64Array.from(values, BigInt), dims);

describe.each(families)('%s', (family) => {
  const model = Model.create(family, { ...sizes, keyValueHeads: family === 'gpt2' ? 4 : 2 });
  const parameters = model.layout.initialize(new Random(7));
  const views = model.layout.views(parameters);
  const all = new Map(model.layout.entries.map(({ name, shape }) => [name, singleWeight(shape, views[name]!)]));
  const [part] = onnxParts('model.onnx', withWeights(decoderGraph(model), all), 2 ** 30);
  let session: InferenceSession;
  beforeAll(async () => {
    session = await InferenceSession.create(Buffer.concat([...part!.content()]), { intraOpNumThreads: 1 });
  });
  afterAll(() => session.release());

  const layers = Array.from({ length: sizes.layers }, (_, i) => i);
  const names = layers.flatMap((i) => [`${i}.key`, `${i}.value`]);

  it('names its axes as transformers.js reads them', () => {
    const shapes = Object.fromEntries(
      [...session.inputMetadata, ...session.outputMetadata].map((one) => [one.name, one.isTensor && one.shape]),
    );
    const both = 'past_sequence_length + sequence_length';
    const D = 8;
    const K = family === 'gpt2' ? 4 : 2;
    expect(shapes).toMatchObject({
      input_ids: ['batch_size', 'sequence_length'],
      attention_mask: ['batch_size', both],
      position_ids: ['batch_size', 'sequence_length'],
      num_logits_to_keep: [],
      'past_key_values.1.value': ['batch_size', K, 'past_sequence_length', D],
      logits: ['batch_size', 'num_logits', 50],
      'present.0.key': ['batch_size', K, both, D],
    });
  });

  it('scores what follows a text however it is fed', async () => {
    const random = new Random(3);
    const whole = [0, 1, 2].map(() => Array.from({ length: 9 }, () => random.below(sizes.vocabulary)));
    // A token's scores depend on what is before it alone.
    const scores: Float32Array[] = [];
    for (const text of whole) scores.push(await withoutCache(engine, model, parameters, text));
    for (const batch of [1, 2, 3]) {
      for (const past of [0, 1, 2, 3, 4, 5]) {
        for (const fresh of [1, 4]) {
          // Each of another length, filled up on the left.
          const T = past + fresh;
          const texts = whole.slice(0, batch).map((text, b) => text.slice(0, Math.max(1, T - b)));
          const ids = texts.map((text) => [...Array.from({ length: T - text.length }, () => 0), ...text]);
          const mask = texts.map((text) => Array.from({ length: T }, (_, t) => (t < T - text.length ? 0 : 1)));
          const positions = mask.map((row) => {
            let count = 0;
            return row.map((one) => (one ? count++ : 1));
          });
          const K = family === 'gpt2' ? 4 : 2;
          let cache: Record<string, Tensor> = Object.fromEntries(
            names.map((name) => [
              `past_key_values.${name}`,
              new Tensor('float32', new Float32Array(0), [batch, K, 0, 8]),
            ]),
          );
          const step = async (from: number, to: number, keep: number) => {
            const cut = (rows: readonly (readonly number[])[], start = from) =>
              int64(
                rows.flatMap((row) => row.slice(start, to)),
                [batch, to - start],
              );
            const outputs = await session.run({
              input_ids: cut(ids),
              attention_mask: cut(mask, 0),
              position_ids: cut(positions),
              num_logits_to_keep: int64([keep], []),
              ...cache,
            });
            cache = Object.fromEntries(names.map((name) => [`past_key_values.${name}`, outputs[`present.${name}`]!]));
            return outputs.logits!;
          };
          if (past > 0) await step(0, past, 1);
          const logits = await step(past, T, fresh === 4 ? 0 : 1);
          expect(logits.dims).toEqual([batch, fresh, 50]);
          for (const [b, text] of texts.entries()) {
            const expected = scores[b]!.subarray(0, text.length * 50);
            const own = Math.min(fresh, text.length);
            const actual = (logits.data as Float32Array).slice(((b + 1) * fresh - own) * 50, (b + 1) * fresh * 50);
            const worst = actual.reduce(
              (most, x, i) => Math.max(most, Math.abs(x - expected[expected.length - own * 50 + i]!)),
              0,
            );
            expect(worst).toBeLessThan(1e-5);
          }
        }
      }
    }
  });
});
