import { afterAll, describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import type { AnySizeEngine } from '../engine/engine.js';
import { NodeEngine } from '../engine/node/engine.js';
import { Model } from '../model/model.js';
import { expectClose, withoutCache } from './decoder.test-support.js';
import { FusedSequences } from './fused-sequences.js';
import { weightsIn } from './weights.js';

const engine = new NodeEngine();
const families = ['gpt2', 'llama', 'mistral', 'qwen2', 'qwen3', 'smollm3', 'phi3', 'gemma', 'gemma2', 'gemma3_text'];
const disposals: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const dispose of disposals) await dispose();
});

function open(family: string, width: number, precision: 'fp32' | 'int8' | 'int4' = 'fp32', mostTokens = 4) {
  const K = family === 'gpt2' ? 4 : 2;
  const sizes = { layers: 3, width, heads: 4, keyValueHeads: K, context: 24, vocabulary: 50 };
  const model = Model.create(family, sizes);
  const parameters = model.layout.initialize(new Random(7));
  // Larger than at the start of training, so that scores differ by more than rounding.
  for (let i = 0; i < parameters.length; i++) parameters[i]! *= 3;
  const weights = weightsIn(precision, model, model.layout.views(parameters));
  const sequences = new FusedSequences({
    model,
    weights,
    engine: engine as AnySizeEngine,
    mostTokens,
  });
  disposals.push(() => sequences.dispose());
  return { model, parameters, sequences };
}

const text = (length: number, seed: number): number[] => {
  const random = new Random(seed);
  return Array.from({ length }, () => random.below(50));
};

// Heads of 16; of 8, which the fused operator does not turn by itself; and of 6, which it takes filled up alone.
describe.each(families.flatMap((family) => [64, 32, 24].map((width) => [family, width] as const)))(
  '%s of width %i',
  (family, width) => {
    it('scores what follows sequences that join, leave and are continued from others as it does each by itself', async () => {
      const { model, parameters, sequences } = open(family, width);
      const V = model.dimensions.vocabulary;
      const texts = [text(20, 1), text(17, 2), text(22, 3)] as const;
      const expected = await Promise.all(texts.map((ids) => withoutCache(engine, model, parameters, ids)));
      const check = (which: number, logits: Float32Array, length: number) =>
        expectClose(logits, expected[which]!.subarray((length - 1) * V, length * V));
      const read = async (which: number, sequence: number, until: number) => {
        while (sequences.lengthOf(sequence) < until) {
          const { logits } = await sequences.read(sequence, texts[which]!.slice(sequences.lengthOf(sequence), until));
          check(which, logits, sequences.lengthOf(sequence));
        }
      };
      const write = async (...pairs: readonly (readonly [number, number])[]) => {
        const next = pairs.map(([which, sequence]) => ({
          sequence,
          id: texts[which]![sequences.lengthOf(sequence)]!,
        }));
        const scores = await sequences.write(next);
        for (const [i, [which, sequence]] of pairs.entries()) check(which, scores[i]!, sequences.lengthOf(sequence));
      };
      const [a, b] = [sequences.open(), sequences.open()];
      await read(0, a, 7);
      await read(1, b, 3);
      await write([1, b], [0, a]);
      const c = sequences.open();
      await write([0, a], [1, b]);
      await read(2, c, 5);
      await write([2, c], [0, a]);
      await write([2, c], [1, b], [0, a]);
      const fork = sequences.fork(b, 4);
      expect(sequences.lengthOf(fork)).toBe(4);
      await write([1, fork], [2, c]);
      sequences.close(a);
      await write([1, b], [2, c], [1, fork]);
      const again = sequences.open();
      await read(0, again, 20);
      await write([2, c], [1, fork]);
      sequences.cut(b, 2);
      await write([1, b], [2, c]);
      await expect(async () => sequences.lengthOf(a)).rejects.toThrow(`there is no sequence ${a}`);
    });
  },
);

describe.each(['int8', 'int4'] as const)('in %s', (precision) => {
  it('sequences side by side are scored as each by itself, and not far from single precision', async () => {
    const texts = [text(12, 1), text(9, 2), text(12, 3)];
    const { sequences } = open('llama', 64, precision);
    const { sequences: alone } = open('llama', 64, precision, 1);
    const { sequences: single } = open('llama', 64);
    const all = texts.map(() => sequences.open());
    const [one, other] = [alone.open(), single.open()];
    const together: Float32Array[][] = texts.map(() => []);
    for (let t = 0; t < 12; t++) {
      const now = texts.flatMap((ids, i) => (t < ids.length ? [{ i, sequence: all[i]!, id: ids[t]! }] : []));
      const scores = await sequences.write(now);
      for (const [k, { i }] of now.entries()) together[i]!.push(scores[k]!.slice());
    }
    let [error, size] = [0, 0];
    for (const [i, ids] of texts.entries()) {
      alone.cut(one, 0);
      single.cut(other, 0);
      for (const [t, id] of ids.entries()) {
        expectClose((await alone.read(one, [id])).logits, together[i]![t]!);
        const { logits } = await single.read(other, [id]);
        error += logits.reduce((sum, x, v) => sum + (x - together[i]![t]![v]!) ** 2, 0);
        size += logits.reduce((sum, x) => sum + x ** 2, 0);
      }
    }
    const share = Math.sqrt(error / size);
    expect(share).toBeGreaterThan(1e-4);
    expect(share).toBeLessThan(precision === 'int8' ? 0.06 : 0.45);
  });
});

// Queries, keys and values of some have biases or norms between; those of width 24 do not lie as the operator wants them.
it.each(families.flatMap((family) => [64, 24].map((width) => [family, width] as const)))(
  'of a %s of width %i queries, keys and values that are one product score as in single precision',
  async (family, width) => {
    const { sequences } = open(family, width, 'int8');
    const { sequences: single } = open(family, width);
    const [one, other] = [sequences.open(), single.open()];
    let [error, size] = [0, 0];
    for (let rest = text(18, 4); rest.length > 0; ) {
      const { taken, logits } = await sequences.read(one, rest);
      const { logits: expected } = await single.read(other, rest);
      error += expected.reduce((sum, x, v) => sum + (x - logits[v]!) ** 2, 0);
      size += expected.reduce((sum, x) => sum + x ** 2, 0);
      rest = rest.slice(taken);
    }
    // Other rows would be off by about 1; weights of this size cost 0.17 at the most.
    expect(Math.sqrt(error / size)).toBeLessThan(0.2);
  },
);

describe('weightsIn', () => {
  const stored = (family: string, precision: 'int8' | 'int4') => {
    const model = Model.create(family, {
      layers: 1,
      width: 64,
      heads: 4,
      keyValueHeads: family === 'gpt2' ? 4 : 2,
      context: 8,
      vocabulary: 9,
    });
    const { products } = weightsIn(precision, model, model.layout.views(model.layout.initialize(new Random(1))));
    return [...products].map(([name, { at, outputs, bits }]) => [name.split('.').at(-2), at, outputs, bits]);
  };

  it('stores queries, keys and values as one, in 8 bits where keys and values are fewer than what they come of', () => {
    const [layers, all] = [stored('llama', 'int4'), [64, 32, 32]];
    expect(layers.filter(([name]) => /[qkv]_proj/.test(String(name)))).toEqual([
      ['q_proj', 0, all, 8],
      ['k_proj', 1, all, 8],
      ['v_proj', 2, all, 8],
    ]);
    expect(layers.filter(([, , , bits]) => bits === 4).map(([name]) => name)).toEqual([
      'o_proj',
      'gate_proj',
      'up_proj',
    ]);
    expect(stored('gpt2', 'int4').map(([name, , , bits]) => [name, bits])).toContainEqual(['c_attn', 4]);
  });
});

describe('steps that cannot be', () => {
  it('are refused, and change nothing', async () => {
    const { sequences } = open('gpt2', 32);
    const a = sequences.open();
    await sequences.read(a, [1, 2, 3]);
    await expect(sequences.read(a, [])).rejects.toThrow('cannot add 0 tokens to 3 of at most 24');
    await expect(
      sequences.write([
        { sequence: a, id: 1 },
        { sequence: a, id: 2 },
      ]),
    ).rejects.toThrow('twice');
    await expect(sequences.write([{ sequence: 99, id: 1 }])).rejects.toThrow('there is no sequence 99');
    expect(() => sequences.fork(a, 4)).toThrow('a sequence of 3 tokens has no first 4');
    expect(() => sequences.cut(a, -1)).toThrow('a sequence of 3 tokens has no first -1');
    for (let t = 3; t < 24; t++) await sequences.read(a, [t]);
    await expect(sequences.write([{ sequence: a, id: 1 }])).rejects.toThrow('cannot add 1 tokens to 24 of at most 24');
    expect(sequences.lengthOf(a)).toBe(24);
  });

  it('tell what given tokens cost', async () => {
    const { model, parameters, sequences } = open('llama', 64);
    const ids = text(14, 5);
    const scores = await withoutCache(engine, model, parameters, ids.slice(0, -1));
    const a = sequences.open();
    for (let at = 0; at < 13; ) {
      const { taken, nats, right } = await sequences.tell(a, ids.slice(at, -1), ids.slice(at + 1));
      for (let i = 0; i < taken; i++) {
        const row = scores.subarray((at + i) * 50, (at + i + 1) * 50);
        const most = Math.max(...row);
        const sum = Math.log(row.reduce((all, x) => all + Math.exp(x - most), 0));
        expect(nats[i]).toBeCloseTo(sum + most - row[ids[at + i + 1]!]!, 4);
        expect(right[i]).toBe(row[ids[at + i + 1]!] === most);
      }
      at += taken;
    }
  });
});
