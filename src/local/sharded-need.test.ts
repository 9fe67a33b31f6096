import { describe, expect, it } from 'vitest';
import { Model } from '../model/model.js';
import { CAUSAL, createObjective } from '../objectives/create.js';
import { ownNeed } from './memory-need.js';
import { shardedNeed } from './sharded-need.js';

const learnedOf = (family: string, sizes: object) => {
  const model = Model.create(family, {
    ...{ layers: 6, width: 512, heads: 8, keyValueHeads: 8, context: 128, vocabulary: 256 },
    ...sizes,
  });
  return createObjective(CAUSAL, { model, context: model.dimensions.context, seed: 1 });
};

const sizes = { batchSize: 2, gradAccum: 1, replicas: 4 };

describe('what replicas take that share a model out', () => {
  it('is the state once between them by stage 3, and parameters in each by stage 2', () => {
    const learned = learnedOf('llama', {});
    const { size } = learned.layout;
    const [third, second] = [shardedNeed(learned, sizes, 3), shardedNeed(learned, sizes, 2)];
    expect(Math.abs(third.resident / (16 * size) - 1)).toBeLessThan(0.01);
    expect(Math.abs(second.resident / ((12 + 4 * 4) * size) - 1)).toBeLessThan(0.01);
    const more = shardedNeed(learned, { ...sizes, replicas: 8 }, 3);
    expect(more.resident).toBe(third.resident);
    expect(more.states).toBe(2 * third.states);
    expect(third.total).toBeGreaterThan(third.resident + third.sections + ownNeed(4));
    // Two sections of parameters fewer in each.
    expect(second.sections).toBeLessThan(third.sections);
  });

  it('is about what was measured: `train` of 6 layers of 512 (qwen3), 4 replicas, 2 × 128 tokens', () => {
    const { total } = shardedNeed(learnedOf('qwen3', {}), sizes, 3);
    expect(Math.abs(total / MEASURED - 1)).toBeLessThan(0.05);
  });

  it('is refused of what cannot be cut', () => {
    const size = { layers: 2, width: 32, heads: 2, keyValueHeads: 2, context: 16, vocabulary: 64 };
    const model = Model.create('bert', size);
    const masked = createObjective({ name: 'masked', rate: 0.15, mask: 1 }, { model, context: 16, seed: 1 });
    expect(() => shardedNeed(masked, sizes, 3)).toThrow('cannot be trained layer by layer');
  });
});

/** Bytes at the peak, with the evaluation and the checkpoint at the end (Node 20.20.2, onnxruntime-node 1.30.0). */
const MEASURED = 1_067_298_816;
