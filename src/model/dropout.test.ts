import { describe, expect, it } from 'vitest';
import places from '../../test/fixtures/dropout/places.json' with { type: 'json' };
import { NodeEngine } from '../engine/node/engine.js';
import { broadcastTo, constant, encode, scalar } from '../graph/index.js';
import { DROPOUT } from './architecture.js';
import { B, T, tokenAt, wave } from './decoder.test-support.js';
import { withDropoutRate } from './dropout-rate.js';
import { Model } from './model.js';

describe('dropout', () => {
  it.each(Object.entries(places))('acts where Python transformers has it: %s', async (_family, fixture) => {
    const model = Model.fromConfig(fixture.config);
    const views: Record<string, Float32Array> = {};
    const names = model.layout.entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    for (const [j, { name, shape, size }] of names.entries()) {
      const norm = name.endsWith('norm.weight');
      const by = shape.length > 1 ? 0.35 : norm ? 0.3 : 0.2;
      views[name] = Float32Array.from(wave(size, j + 1), (value) => (norm && shape.length < 2 ? 1 : 0) + by * value);
    }
    const parameters = {
      ...model.parameterInputs(),
      [DROPOUT]: (shape: readonly number[]) => broadcastTo(scalar(0.5), shape),
    };
    const ids = BigInt64Array.from({ length: B * T }, (_, n) => BigInt(tokenAt(n % B, Math.floor(n / B))));
    const text = { ids_N: constant(ids, [B * T]), length: T };
    const hidden = model.architecture.encoder
      ? model.hiddenOfTarget(parameters, { source: text, target: text }, B)
      : model.hidden(parameters, text.ids_N, B, T);
    const engine = new NodeEngine();
    const session = await engine.compile(encode({ logits: model.logits(parameters, hidden) }, engine.target));
    const { logits } = await session.run(views);
    await session.dispose();
    const V = model.dimensions.vocabulary;
    const batchFirst = Array.from({ length: B * T * V }, (_, i) => {
      const [b, t, v] = [Math.floor(i / (T * V)), Math.floor(i / V) % T, i % V];
      return Number(logits![(t * B + b) * V + v]);
    });
    const sums = fixture.projections.map((_, k) => {
      const direction = wave(batchFirst.length, 101 + k);
      return batchFirst.reduce((sum, value, i) => sum + value * direction[i]!, 0);
    });
    const largest = Math.max(...batchFirst.map(Math.abs));
    for (const [k, sum] of sums.entries()) expect(Math.abs(sum - fixture.projections[k]!) / largest).toBeLessThan(1e-4);
  });

  it.each([
    ['gpt2', { resid_pdrop: 0.1, embd_pdrop: 0.1, attn_pdrop: 0.1 }],
    ['llama', { attention_dropout: 0.1 }],
    ['bert', { hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.1 }],
    ['modernbert', { embedding_dropout: 0.1, attention_dropout: 0.1, mlp_dropout: 0.1 }],
    ['t5', { dropout_rate: 0.1 }],
    ['distilbert', { dropout: 0.1, attention_dropout: 0.1 }],
  ])('tells its rate in the keys of %s, and in no others', (family, rates) => {
    const sizes = { layers: 1, width: 8, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 7 };
    const model = Model.create(family, sizes);
    expect(withDropoutRate(model, 0.1).config).toEqual({ ...(model.config as object), ...rates });
  });
});
