import { describe, expect, it } from 'vitest';
import expected from '../../test/fixtures/configs/expected-seq2seq.json' with { type: 'json' };
import buckets from '../../test/fixtures/seq2seq/buckets.json' with { type: 'json' };
import cases from '../../test/fixtures/seq2seq/cases.json' with { type: 'json' };
import { UsageError } from '../base/errors.js';
import { SafetensorsFile } from '../base/files/safetensors.js';
import type { JsonObject } from '../base/json.js';
import { NodeEngine } from '../engine/node/engine.js';
import { crossEntropy, encode, gather, gradients, input, reshape } from '../graph/index.js';
import { difference, int64s } from './bert.test-support.js';
import { configNotices, isKnown } from './config-rules.js';
import { ids, mean, storedWeights, timeMajorInts } from './fixture.test-support.js';
import { Model } from './model.js';
import { PublishedConfig } from './published.js';
import published from './published-configs.json' with { type: 'json' };
import { bucketOf } from './relative-bias.js';

const [B, S, T] = [3, 11, 9];
const folder = new URL('../../test/fixtures/seq2seq/', import.meta.url).pathname;

/** Rows [length, B, ...] as PyTorch has them, [B, length, ...]. */
function batchMajor(rows: Float32Array, length: number): Float32Array {
  const width = rows.length / (B * length);
  return rows.map((_, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    return rows[((row % length) * B + Math.floor(row / length)) * width + column]!;
  });
}

describe.each(Object.entries(cases))('%s of Python transformers', (name, config) => {
  it('has the same hidden states, scores, loss and gradients, with what fills sources and targets up', async () => {
    const model = Model.fromConfig(config as JsonObject);
    const { layout } = model;
    const file = await SafetensorsFile.open(`${folder}${name}.safetensors`);
    const timeMajor = (key: string, length: number) => timeMajorInts(file, key, B, length);
    const views = await storedWeights(file, layout);

    const p = model.parameterInputs();
    const source = { ids_N: input('source', [B * S], 'int64'), own_N: input('own', [B * S]), length: S };
    const target = { ids_N: input('ids', [B * T], 'int64'), length: T };
    const x_NC = model.hiddenOfTarget(p, { source, target }, B);
    const logits = model.logits(p, x_NC);
    const asked = [...(await timeMajor('targets', T)).entries()].filter(([, id]) => id >= 0);
    const rows = gather(logits, ids(asked.map(([row]) => row)));
    const loss = mean(crossEntropy(rows, ids(asked.map(([, id]) => id))));
    const parts = gradients(
      loss,
      layout.entries.map((entry) => p[entry.name]!),
    );
    const engine = new NodeEngine();
    const outputs = {
      encoder: model.encode(p, source, B),
      decoder: x_NC,
      logits,
      loss: reshape(loss, [1]),
      ...Object.fromEntries(layout.entries.map((entry, i) => [`gradient.${entry.name}`, parts[i]!])),
    };
    const session = await engine.compile(encode(outputs, engine.target));
    const own = Float32Array.from(await timeMajor('own', S));
    const results = (await session.run({
      ...views,
      own,
      source: int64s(await timeMajor('input_ids', S)),
      ids: int64s(await timeMajor('decoder_ids', T)),
    })) as Record<string, Float32Array>;
    await session.dispose();

    const width = results.encoder!.length / (B * S);
    const read = results.encoder!.map((value, i) => value * own[Math.floor(i / width)]!);
    expect(difference(batchMajor(read, S), await file.readFloat32('encoder'))).toBeLessThan(1e-4);
    // What a tied head scores is divided by the root of the width; the published class does that after the hidden state.
    const tied = !layout.entries.some((entry) => entry.name === 'lm_head.weight');
    const written = results.decoder!.map((value) => value * (tied ? Math.sqrt(width) : 1));
    expect(difference(batchMajor(written, T), await file.readFloat32('decoder'))).toBeLessThan(1e-4);
    expect(difference(batchMajor(results.logits!, T), await file.readFloat32('logits'))).toBeLessThan(1e-4);
    expect(difference(results.loss!, await file.readFloat32('loss'))).toBeLessThan(1e-4);
    for (const { name: parameter } of layout.entries) {
      const reference = await file.readFloat32(`gradient.${parameter}`);
      expect(difference(results[`gradient.${parameter}`]!, reference), parameter).toBeLessThan(1e-4);
    }
    await file.close();
  });
});

it.each(buckets)('distances fall into $count buckets up to $farthest as in Python', ({ buckets: all, ...settings }) => {
  expect(all.map((_, i) => bucketOf(i - 300, settings))).toEqual(all);
});

describe('the configuration', () => {
  const size = (config: JsonObject) => Model.fromConfig(config).layout.size;
  const small: JsonObject = { model_type: 't5', ...expected.t5.small };

  it('has every key of the published class used, harmless, or watched over', () => {
    const all = [...Object.keys(published.families.t5.keys), ...published.everywhere];
    expect(all.filter((key) => !isKnown('t5', key))).toEqual([]);
  });

  it('has the parameters of the published model with all defaults', () => {
    expect(size({ model_type: 't5' })).toBe(expected.t5.defaults);
  });

  it.each(Object.entries(expected.t5.without))('has them without %s', (leftOut, parameters) => {
    const { [leftOut]: _, ...config } = small;
    expect(size(config)).toBe(parameters);
  });

  it.each(expected.t5.changes as { change: JsonObject; parameters: number | null }[])(
    'has them, or refuses by name, with $change',
    ({ change, parameters }) => {
      const [changed = ''] = Object.keys(change);
      const config = { ...small, ...change };
      if (['is_decoder', 'is_encoder_decoder'].includes(changed)) expect(() => size(config)).toThrow(changed);
      // A null that the class itself refuses is left out here.
      else expect(size(config)).toBe(parameters ?? (expected.t5.without as Record<string, number>)[changed]);
    },
  );

  it.each<[JsonObject, number]>([
    [
      { d_ff: 2048, decoder_start_token_id: 0, n_positions: 512, output_past: true, task_specific_params: {} },
      60_506_624,
    ],
    [
      {
        ...{ d_ff: 1024, d_kv: 64, num_heads: 6, num_layers: 8, num_decoder_layers: 8, tie_word_embeddings: false },
        ...{ feed_forward_proj: 'gated-gelu', decoder_start_token_id: 0, output_past: true, vocab_size: 32128 },
      },
      76_961_152,
    ],
  ])(
    'of the published t5-small and its version 1.1, %j, has their parameters, and nothing to tell of',
    (keys, count) => {
      const config = { model_type: 't5', ...keys };
      expect(size(config)).toBe(count);
      expect(configNotices(new PublishedConfig('t5', config))).toEqual([]);
    },
  );

  it.each<[JsonObject, string]>([
    [{ feed_forward_proj: 'gated-elu' }, 'feed_forward_proj is "gated-elu"'],
    [{ feed_forward_proj: 'relu', is_gated_act: true }, 'is_gated_act true'],
    [{ feed_forward_proj: 'gated-gelu', dense_act_fn: 'relu' }, 'dense_act_fn "relu"'],
    [{ relative_attention_num_buckets: 7 }, 'relative_attention_num_buckets 7 must be even'],
    [{ relative_attention_max_distance: 16 }, 'relative_attention_max_distance 16'],
    [{ d_kv: 0 }, 'd_kv'],
    [{ num_decoder_layers: -1 }, 'num_decoder_layers'],
  ])('with %j is refused by name', (change, message) => {
    expect(() => size({ model_type: 't5', ...change })).toThrow(message);
    expect(() => size({ model_type: 't5', ...change })).toThrow(UsageError);
  });

  it('made for sizes says them again, and has linear layers on both sides that adapters can be beside', () => {
    const sizes = { layers: 2, width: 24, heads: 3, keyValueHeads: 3, context: 16, vocabulary: 31 };
    const model = Model.create('t5', sizes);
    expect(model.dimensions).toEqual(sizes);
    expect(Model.fromConfig(JSON.parse(JSON.stringify(model.config))).config).toEqual(model.config);
    const names = model.linearLayers().map(({ name }) => name);
    expect(names.length).toBe(2 * (4 + 2) + 2 * (4 + 4 + 2));
    expect(names).toContain('encoder.block.1.layer.1.DenseReluDense.wi');
    expect(names).toContain('decoder.block.0.layer.1.EncDecAttention.k');
  });

  it('does not run without a source, and says so', () => {
    const sizes = { layers: 1, width: 8, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 9 };
    const model = Model.create('t5', sizes);
    expect(() => model.hidden(model.parameterInputs(), ids([1, 2]), 1, 2)).toThrow(/A t5 model reads a source/);
    expect(() => Model.create('bert', sizes).encode({}, { ids_N: ids([1]), length: 1 }, 1)).toThrow(/reads no source/);
  });
});
