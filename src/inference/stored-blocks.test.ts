import { afterAll, describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import type { AnySizeEngine } from '../engine/engine.js';
import { NodeEngine } from '../engine/node/engine.js';
import { storeBlocks } from '../model/block-weights.js';
import { Model } from '../model/model.js';
import { BlockRounder } from './stored-blocks.js';
import { weightsBy, weightsIn } from './weights.js';

const engine = new NodeEngine() as AnySizeEngine;
const rounder = new BlockRounder(engine, 2);
afterAll(() => rounder.dispose());

/** Weights of several magnitudes, halves of a step between them, and a block of nothing. */
function weightsOf(count: number): Float32Array {
  const random = new Random(3);
  const weights = Float32Array.from({ length: count }, (_, i) => (random.uniform() - 0.5) * 10 ** ((i >> 7) % 5));
  for (let i = 0; i < weights.length; i += 5) weights[i] = Math.fround((Math.round(weights[i]! * 2) + 0.5) / 2);
  return weights.fill(0, 0, 64).fill(127, 64, 65).fill(2.5, 65, 70);
}

const bytes = ({ buffer, byteOffset, byteLength }: Uint8Array | Float32Array) =>
  Buffer.from(buffer, byteOffset, byteLength);

describe('rounding on an engine', () => {
  it.each([
    ['that fill their blocks', 128, 64],
    ['whose last block is not full', 100, 64],
    ['shorter than a block', 24, 64],
    ['of several runs, the last of them shorter', 576, 128],
  ])('gives the codes and scales of storeBlocks, to the bit, for rows %s', async (_, inputs, size) => {
    const outputs = 1000;
    const weights = weightsOf(inputs * outputs);
    const expected = storeBlocks(weights, { inputs, outputs, rows: 'outputs' }, 8, size);
    const codes = new Uint8Array(expected.codes.length);
    const scales = new Float32Array(expected.scales.length);
    await rounder.round(weights, inputs, size, { codes, scales });
    expect(bytes(codes).equals(bytes(expected.codes))).toBe(true);
    expect(bytes(scales).equals(bytes(expected.scales))).toBe(true);
  });

  it.each([
    ['llama', 'int8'],
    ['llama', 'int4'],
    ['gpt2', 'int8'],
  ] as const)('makes the weights of a model, %s in %s', async (family, precision) => {
    const keyValueHeads = family === 'llama' ? 3 : 6;
    const model = Model.create(family, { layers: 2, width: 72, heads: 6, keyValueHeads, context: 8, vocabulary: 500 });
    const vector = model.layout.initialize(new Random(1));
    const [made, expected] = [
      await weightsBy(engine, 2, precision, { model, parameters: async () => vector }),
      weightsIn(precision, model, model.layout.views(vector)),
    ];
    expect([...made.constants.keys()]).toEqual([...expected.constants.keys()]);
    for (const [name, values] of expected.constants)
      expect(bytes(made.constants.get(name)!).equals(bytes(values))).toBe(true);
    expect([made.products, made.tables]).toEqual([expected.products, expected.tables]);
  });
});
