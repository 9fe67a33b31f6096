import { expect, test } from 'vitest';
import { readModelConfig } from './model-config.js';
import { toWorkload } from './shape.js';

const small = readModelConfig({ model_type: 'gpt2', n_layer: 2, n_embd: 4, n_head: 2, n_positions: 8, vocab_size: 10 });

test('parameters are counted tensor by tensor', () => {
  // Embeddings 10·4 + 8·4; a layer: 12·4² weights, 4·3 + 4 + 16 + 4 biases, two norms of 2·4; the last norm.
  expect(toWorkload('x', small).parameters).toBe(72 + 2 * (192 + 36 + 16) + 8);
  expect(toWorkload('x', { ...small, biases: [] }).parameters).toBe(72 + 2 * (192 + 16) + 8);
  expect(toWorkload('x', { ...small, normBias: false }).parameters).toBe(72 + 2 * (192 + 36 + 8) + 4);
  expect(toWorkload('x', { ...small, tiedHead: false }).parameters - toWorkload('x', small).parameters).toBe(40);
});

test('a decoder that attends to an encoder has more attention, positions and a final norm', () => {
  const more = toWorkload('x', { ...small, crossAttentionLayers: 1, stacks: 2 });
  // Four 4 × 4 matrices with biases and a norm; 8 more positions; one more final norm.
  expect(more.parameters - toWorkload('x', small).parameters).toBe(4 * 16 + 16 + 8 + 32 + 8);
  expect(more.crossAttentionLayers).toBe(1);
});

test('experts count all; a token passes the active ones', () => {
  const experts = { count: 8, active: 2 };
  const plain = toWorkload('x', small);
  const expert = 2 * 4 * 16 + 16 + 4;
  const mixed = toWorkload('x', { ...small, experts });
  expect(mixed.parameters).toBe(plain.parameters + 2 * (7 * expert + 4 * 8));
  expect(mixed.activeParameters).toBe(plain.parameters + 2 * (expert + 4 * 8));
  expect(plain.activeParameters).toBe(plain.parameters);
  expect(mixed.experts).toEqual(experts);
});

test('a workload keeps the shape', () => {
  expect(toWorkload('x', small)).toEqual({
    name: 'x',
    family: 'gpt2',
    layers: 2,
    hidden: 4,
    heads: 2,
    keyValueHeads: 2,
    headSize: 2,
    feedForward: 16,
    feedForwardMatrices: 2,
    vocabulary: 10,
    context: 8,
    tiedHead: true,
    biases: true,
    positions: 'learned',
    causal: true,
    parameters: 568,
    activeParameters: 568,
  });
});
