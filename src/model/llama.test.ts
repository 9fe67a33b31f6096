import { expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { windowsOf } from '../data/sampling/windows.test-support.js';
import { NodeEngine } from '../engine/node/engine.js';
import { Causal } from '../objectives/causal/causal.js';
import { Evaluator } from '../training/evaluation.js';
import { Model } from './model.js';

const sizes = {
  vocab_size: 20,
  hidden_size: 16,
  intermediate_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 16,
};
const ids = Int32Array.from({ length: 17 }, (_, i) => (7 * i * i + 3) % 20);
/** The loss of weights that are the same for the same sizes. */
async function loss(config: object): Promise<number> {
  const model = Model.fromConfig({ model_type: 'llama', ...sizes, ...config });
  const evaluator = new Evaluator(new Causal(model), new NodeEngine(), 1, { threads: 1 });
  const parameters = model.layout.initialize(new Random(3, 'parameters')).map((value) => 20 * value);
  const { sum } = await evaluator.lossSum(parameters, windowsOf(ids, 16));
  await evaluator.dispose();
  return sum;
}

it('has as many heads of keys and values as heads where the file does not say, and an equal share of the width', async () => {
  const plain = await loss({ num_key_value_heads: 4, head_dim: 4 });
  expect(await loss({})).toBe(plain);
  expect(await loss({ num_key_value_heads: null, head_dim: null, rope_scaling: null, rope_parameters: null })).toBe(
    plain,
  );
  expect(await loss({ num_key_value_heads: 2 })).not.toBe(plain);
});

it('follows the base of the positions in each of its spellings', async () => {
  const plain = await loss({});
  const other = await loss({ rope_theta: 100 });
  expect(await loss({ rope_theta: 10_000 })).toBe(plain);
  expect(Math.abs(other - plain)).toBeGreaterThan(1e-4);
  expect(await loss({ rope_parameters: { rope_type: 'default', rope_theta: 100 } })).toBe(other);
  expect(await loss({ rope_scaling: { type: 'default' }, rope_theta: 100 })).toBe(other);
  // The published class looks into the older spelling first, and outside last.
  expect(await loss({ rope_scaling: { rope_theta: 100 }, rope_parameters: { rope_theta: 10_000 } })).toBe(other);
  expect(await loss({ rope_parameters: { rope_theta: 100 }, rope_theta: 10_000 })).toBe(other);
});
