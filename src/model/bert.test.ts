import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import expected from '../../test/fixtures/configs/expected-masked.json' with { type: 'json' };
import type { JsonObject } from '../base/json.js';
import { Random } from '../base/random.js';
import { NodeEngine } from '../engine/node/engine.js';
import {
  constant,
  encode,
  gather,
  gradients,
  log,
  pick,
  reduceSum,
  reshape,
  scale,
  softmax,
  type Tensor,
} from '../graph/index.js';
import { bert } from './bert.js';
import { B, difference, expectGradients, int64s, type OpenBert, openBert, T, traceBert } from './bert.test-support.js';
import { configNotices, isKnown } from './config-rules.js';
import { Model } from './model.js';
import { PublishedConfig } from './published.js';
import published from './published-configs.json' with { type: 'json' };

const small: JsonObject = { model_type: 'bert', ...expected.bert.small };
const size = (config: JsonObject) => Model.fromConfig(config).layout.size;

/** Rows [T, B, ...] as PyTorch has them, [B, T, ...]. */
function batchMajor(rows: ArrayLike<number>): Float32Array {
  const width = rows.length / (B * T);
  return Float32Array.from(rows, (_, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    return rows[((row % T) * B + Math.floor(row / T)) * width + column]!;
  });
}

describe('BertForMaskedLM of Python transformers', () => {
  let opened: OpenBert;
  let results: Record<string, Float32Array>;

  beforeAll(async () => {
    opened = await openBert();
    const { config, layout, told, views, ids } = opened;
    const model = Model.fromConfig(config);
    const { p, x_NC } = traceBert(opened);
    const rows_M = constant(int64s(told.map(([row]) => row)), [told.length]);
    const targets_M = constant(int64s(told.map(([, target]) => target)), [told.length]);
    const likelihoods_M = pick(softmax(model.logits(p, gather(x_NC, rows_M))), targets_M);
    const loss = scale(reduceSum(log(likelihoods_M), [0]), -1 / told.length);
    const traced = gradients(
      loss,
      layout.entries.map(({ name }) => p[name]!),
    );
    const outputs: Record<string, Tensor> = {
      hidden: x_NC,
      logits: model.logits(p, x_NC),
      loss: reshape(loss, [1]),
      ...Object.fromEntries(layout.entries.map(({ name }, i) => [`gradient.${name}`, traced[i]!])),
    };
    const engine = new NodeEngine();
    const session = await engine.compile(encode(outputs, engine.target));
    results = (await session.run({ ...views, ids })) as typeof results;
    await session.dispose();
  });

  afterAll(() => opened.answers.close());

  it('has the same hidden states, scores and loss', async () => {
    for (const name of ['hidden', 'logits']) {
      const ours = batchMajor(results[name]!);
      expect(difference(ours, await opened.answers.readFloat32(name)), name).toBeLessThan(1e-5);
    }
    expect(difference(results.loss!, await opened.answers.readFloat32('loss'))).toBeLessThan(1e-5);
  });

  it('has the same gradient of every parameter', async () => {
    const named = opened.layout.entries.map(({ name }) => [name, results[`gradient.${name}`]!]);
    await expectGradients(opened, Object.fromEntries(named));
  });
});

describe('the configuration', () => {
  it('has every key of the published class used, harmless, or watched over', () => {
    const all = [...Object.keys(published.families.bert.keys), ...published.everywhere];
    expect(all.filter((key) => !isKnown('bert', key))).toEqual([]);
  });

  it('has the parameters of the published model with all defaults', () => {
    expect(size({ model_type: 'bert' })).toBe(expected.bert.defaults);
  });

  it.each(Object.entries(expected.bert.without))('has them without %s', (leftOut, parameters) => {
    const { [leftOut]: _, ...config } = small;
    expect(size(config)).toBe(parameters);
  });

  it.each(expected.bert.changes as { change: JsonObject; parameters: number | null }[])(
    'has them, or refuses by name, with $change',
    ({ change, parameters }) => {
      const [changed = ''] = Object.keys(change);
      const config = { ...small, ...change };
      if (['is_decoder', 'add_cross_attention', 'tie_word_embeddings'].includes(changed)) {
        expect(() => size(config)).toThrow(changed);
      } else {
        // A null that the class itself refuses is left out here.
        expect(size(config)).toBe(parameters ?? (expected.bert.without as Record<string, number>)[changed]);
      }
    },
  );

  it.each([
    [{ hidden_act: 'gelu_new' }, 'hidden_act is "gelu_new"'],
    [{ hidden_act: 'relu' }, 'hidden_act is "relu"'],
    [{ position_embedding_type: 'relative_key' }, 'position_embedding_type is "relative_key"'],
    [{ is_causal: true }, 'is_causal is true'],
    [{ hidden_size: 100 }, 'width (hidden_size) 100 is not divisible by heads (num_attention_heads) 8'],
    [{ type_vocab_size: 0 }, 'type_vocab_size'],
  ] as const)('with %j is refused', (change, message) => {
    expect(() => size({ ...small, ...change })).toThrow(message);
  });

  it('of the published bert-base has the published count of parameters, and nothing to tell of', () => {
    const base = {
      architectures: ['BertForMaskedLM'],
      gradient_checkpointing: false,
      model_type: 'bert',
      position_embedding_type: 'absolute',
      transformers_version: '4.6.0.dev0',
      directionality: 'bidi',
      pooler_type: 'first_token_transform',
      vocab_size: 30522,
    };
    expect(size(base)).toBe(109_514_298);
    expect(configNotices(new PublishedConfig('bert', base))).toEqual([]);
  });

  it('made for sizes says them again, and starts with norms of 1 and biases of 0', () => {
    const sizes = { layers: 2, width: 24, heads: 3, keyValueHeads: 3, context: 16, vocabulary: 31 };
    const config = bert.configure(sizes);
    expect(bert.dimensions(config)).toEqual(sizes);
    expect(bert.parse(JSON.parse(JSON.stringify(config)))).toEqual(config);
    const { layout } = Model.fromConfig(config);
    const views = layout.views(layout.initialize(new Random(1)));
    for (const [name, values] of Object.entries(views)) {
      if (name.endsWith('LayerNorm.weight')) expect(new Set(values)).toEqual(new Set([1]));
      else if (name.endsWith('bias')) expect(new Set(values)).toEqual(new Set([0]));
      else expect(new Set(values).size).toBeGreaterThan(values.length / 2);
    }
  });
});
