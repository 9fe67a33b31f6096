import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import expected from '../../test/fixtures/configs/expected-masked.json' with { type: 'json' };
import { SafetensorsFile } from '../base/files/safetensors.js';
import type { JsonObject } from '../base/json.js';
import { Random } from '../base/random.js';
import { NodeEngine } from '../engine/node/engine.js';
import {
  attention,
  constant,
  encode,
  gather,
  gradients,
  input,
  log,
  pick,
  reduceSum,
  reshape,
  scale,
  softmax,
  type Tensor,
} from '../graph/index.js';
import type { Attend, TracedParameters } from './architecture.js';
import { bert } from './bert.js';
import { configNotices, isKnown } from './config-rules.js';
import { ParameterLayout } from './layout.js';
import { PublishedConfig } from './published.js';
import published from './published-configs.json' with { type: 'json' };

const fixture = new URL('../../test/fixtures/models/bert/', import.meta.url).pathname;
const small: JsonObject = { model_type: 'bert', ...expected.bert.small };
const size = (config: JsonObject) => new ParameterLayout(bert.parameters(bert.parse(config))).size;
const ids64 = (values: ArrayLike<number>) => BigInt64Array.from(values, (value) => BigInt(value));

const everyToken: Attend = (_layer, q, k, v) => attention(q, k, v, { causal: false });
const first = (length: number) => constant(ids64([...Array(length).keys()]), [length]);

/** The largest difference relative to the largest expected value. */
function difference(actual: ArrayLike<number>, reference: ArrayLike<number>): number {
  expect(actual.length).toBe(reference.length);
  let [worst, largest] = [0, 1e-12];
  for (let i = 0; i < reference.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i]! - reference[i]!));
    largest = Math.max(largest, Math.abs(reference[i]!));
  }
  return worst / largest;
}

/** Rows [T, B, ...] as PyTorch has them, [B, T, ...]. */
function batchMajor(rows: ArrayLike<number>, batch: number, length: number): Float32Array {
  const width = rows.length / (batch * length);
  return Float32Array.from(rows, (_, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    return rows[((row % length) * batch + Math.floor(row / length)) * width + column]!;
  });
}

describe('BertForMaskedLM of Python transformers', () => {
  const [B, T] = [3, 13];
  let answers: SafetensorsFile;
  let results: Record<string, Float32Array>;
  let names: string[];

  beforeAll(async () => {
    const config = bert.parse(JSON.parse(await readFile(`${fixture}config.json`, 'utf8')));
    const layout = new ParameterLayout(bert.parameters(config));
    names = layout.entries.map(({ name }) => name);
    answers = await SafetensorsFile.open(`${fixture}expected.safetensors`);
    const int32 = async (name: string) => {
      const bytes = await answers.readBytes(name);
      return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    };
    const targets = await int32('targets');
    const ids = await int32('input_ids');
    const timeMajor = (values: Int32Array) =>
      Int32Array.from(values, (_, i) => values[(i % B) * T + Math.floor(i / B)]!);
    const told = [...timeMajor(targets).entries()].filter(([, target]) => target >= 0);

    const p: TracedParameters = Object.fromEntries(layout.entries.map(({ name, shape }) => [name, input(name, shape)]));
    const inputs = { ids_N: input('ids', [B * T], 'int64'), batch: B, positions_T: first(T), attend: everyToken };
    let hidden = bert.embed(config, p, inputs);
    for (let i = 0; i < config.num_hidden_layers; i++) hidden = bert.block(config, p, i, hidden, inputs);
    hidden = bert.final(config, p, hidden);
    const rows_M = constant(ids64(told.map(([row]) => row)), [told.length]);
    const targets_M = constant(ids64(told.map(([, target]) => target)), [told.length]);
    const likelihoods_M = pick(softmax(bert.logits!(config, p, gather(hidden, rows_M))), targets_M);
    const loss = scale(reduceSum(log(likelihoods_M), [0]), -1 / told.length);
    const traced = gradients(
      loss,
      names.map((name) => p[name]!),
    );
    const outputs: Record<string, Tensor> = {
      hidden,
      logits: bert.logits!(config, p, hidden),
      loss: reshape(loss, [1]),
      ...Object.fromEntries(names.map((name, i) => [`gradient.${name}`, traced[i]!])),
    };

    const weights = await SafetensorsFile.open(`${fixture}model.safetensors`);
    expect([...weights.tensors.keys()].sort()).toEqual([...names].sort());
    const vector = new Float32Array(layout.size);
    for (const { name } of layout.entries) await weights.readFloat32(name, layout.views(vector)[name]!);
    await weights.close();
    const engine = new NodeEngine();
    const session = await engine.compile(encode(outputs, engine.target));
    results = (await session.run({ ...layout.views(vector), ids: ids64(timeMajor(ids)) })) as typeof results;
    await session.dispose();
  });

  afterAll(() => answers.close());

  it('has the same hidden states, scores and loss', async () => {
    for (const name of ['hidden', 'logits']) {
      const ours = batchMajor(results[name]!, B, T);
      expect(difference(ours, await answers.readFloat32(name)), name).toBeLessThan(1e-5);
    }
    expect(difference(results.loss!, await answers.readFloat32('loss'))).toBeLessThan(1e-5);
  });

  it('has the same gradient of every parameter', async () => {
    for (const name of names) {
      const reference = await answers.readFloat32(`gradient.${name}`);
      // Softmax ignores a constant added to a row: the true gradient of a key's bias is 0, what stands there is rounding.
      if (name.endsWith('self.key.bias')) {
        expect(Math.max(...results[`gradient.${name}`]!.map(Math.abs)), name).toBeLessThan(1e-5);
      } else {
        expect(difference(results[`gradient.${name}`]!, reference), name).toBeLessThan(1e-4);
      }
    }
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
    const layout = new ParameterLayout(bert.parameters(config));
    const views = layout.views(layout.initialize(new Random(1)));
    for (const [name, values] of Object.entries(views)) {
      if (name.endsWith('LayerNorm.weight')) expect(new Set(values)).toEqual(new Set([1]));
      else if (name.endsWith('bias')) expect(new Set(values)).toEqual(new Set([0]));
      else expect(new Set(values).size).toBeGreaterThan(values.length / 2);
    }
  });
});
