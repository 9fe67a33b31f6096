import { describe, expect, it } from 'vitest';
import cases from '../../../test/fixtures/seq2seq/cases.json' with { type: 'json' };
import { SafetensorsFile } from '../../base/files/safetensors.js';
import { Random } from '../../base/random.js';
import type { TokenWindow } from '../../data/sampling/token-windows.js';
import { windowsOf } from '../../data/sampling/windows.test-support.js';
import type { HostArray } from '../../engine/engine.js';
import { NodeEngine } from '../../engine/node/engine.js';
import { Model } from '../../model/model.js';
import { Evaluator } from '../../training/evaluation.js';
import { Replica } from '../../training/replica.js';
import { feedArrays } from '../../training/step-program.js';
import { Causal } from '../causal/causal.js';
import { Masked } from '../masked/masked.js';
import { ofCorruptedText, Seq2Seq, type TextPair } from './seq2seq.js';

const V = 40;
const tokens = 40;
const model = Model.create('t5', { layers: 1, width: 16, heads: 2, keyValueHeads: 2, context: 12, vocabulary: V });
const corruption = { density: 0.15, span: 3, sentinel: V - 1, sentinels: 10 };
const objective = ofCorruptedText(model, { corruption, tokens, seed: 9, start: 0, end: 0 });
const random = new Random(1);
const windows = windowsOf(
  Int32Array.from({ length: 8 * (tokens + 1) }, () => 1 + random.below(V - 12)),
  tokens,
);
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, clip: 0 };

function filled(order: readonly TokenWindow[]) {
  const arrays: Record<string, HostArray> = feedArrays(objective, order.length);
  const weight = objective.fill(order, arrays);
  return { weight, arrays };
}

/** The pairs of the fixture: what fills them up is cut off. */
async function fixturePairs(file: SafetensorsFile): Promise<TextPair[]> {
  const [B, S, T] = [3, 11, 9];
  const int32s = async (key: string) => {
    const bytes = await file.readBytes(key);
    return [...new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)];
  };
  const [ids, own, targets] = [await int32s('input_ids'), await int32s('own'), await int32s('targets')];
  return Array.from({ length: B }, (_, b) => ({
    source: ids.slice(b * S, b * S + S).filter((_, s) => own[b * S + s] === 1),
    target: targets.slice(b * T, b * T + T).filter((id) => id >= 0),
  }));
}

describe('Seq2Seq', () => {
  it.each([
    ['in the room that they need', { source: 11, target: 9 }, [3]],
    ['with room to spare, one by one', { source: 14, target: 16 }, [1, 1, 1]],
  ])("has the mean loss of Python's model over the tokens of targets, %s", async (_, room, batches) => {
    const t5 = Model.fromConfig(cases.t5);
    const file = await SafetensorsFile.open(
      new URL('../../../test/fixtures/seq2seq/t5.safetensors', import.meta.url).pathname,
    );
    const weights: Record<string, Float32Array> = {};
    for (const { name } of t5.layout.entries) weights[name] = await file.readFloat32(`weights.${name}`);
    const pairs = await fixturePairs(file);
    const learned = new Seq2Seq<TextPair>(t5, { room, tokens: 20, start: 0, pairOf: (pair) => pair });
    let [sum, weight, at] = [0, 0, 0];
    for (const batch of batches) {
      const evaluator = new Evaluator(learned, new NodeEngine(), batch);
      const score = await evaluator.score(t5.layout.fill(weights), pairs.slice(at, (at += batch)));
      await evaluator.dispose();
      sum += score.sums.loss!;
      weight += score.weight;
    }
    expect(weight).toBe(9 + 4 + 6);
    const [loss] = await file.readFloat32('loss');
    await file.close();
    expect(sum / weight).toBeCloseTo(loss!, 4);
  });

  it('corrupts a window by its number and the seed alone, and weighs it by what is to be written', () => {
    const both = filled(windows.slice(0, 2));
    expect(filled(windows.slice(0, 2))).toEqual(both);
    const again = { ...windows[0]!, number: ['other', 3] as const };
    const sources = [filled([windows[0]!]), filled([again])].map(({ arrays }) => [...(arrays.source as BigInt64Array)]);
    expect(sources[0]).not.toEqual(sources[1]);
    const { weight, arrays } = filled(windows);
    // 40 tokens lose 6 in two spans: a sentinel for each, those, and the end.
    expect(weight).toBe(8 * 9);
    expect([...(arrays.weights as Float32Array)].every((each) => each === 1)).toBe(true);
    // A target's first token is told from the start, each other from the one before it.
    const [ids, targets] = [arrays.ids as BigInt64Array, arrays.targets as BigInt64Array];
    expect([...ids.subarray(0, 8)]).toEqual(Array(8).fill(0n));
    expect([...ids.subarray(8)]).toEqual([...targets.subarray(0, -8)]);
    expect([...targets.subarray(-8)]).toEqual(Array(8).fill(0n));
  });

  it('does not ask for what is no token of the vocabulary, and cuts what has no room', () => {
    const room = { source: 3, target: 2 };
    const learned = new Seq2Seq<TextPair>(model, { room, tokens: 5, start: 7, standIn: 5, pairOf: (pair) => pair });
    const arrays: Record<string, HostArray> = feedArrays(learned, 1);
    expect(learned.fill([{ source: [1, -1], target: [-1, 3, 4] }], arrays)).toBe(1);
    expect(arrays.source).toEqual(BigInt64Array.of(1n, 5n, 0n));
    expect(arrays.own).toEqual(Float32Array.of(1, 1, 0));
    expect(arrays.ids).toEqual(BigInt64Array.of(7n, 5n));
    expect(arrays.targets).toEqual(BigInt64Array.of(0n, 3n));
    expect(arrays.weights).toEqual(Float32Array.of(0, 1));
  });

  it('gives the same step from micro-batches as from one batch of all', async () => {
    const parameters = model.layout.initialize(new Random(3));
    const step = async (batch: number, gradientAccumulation: number) => {
      const replica = await Replica.create({
        objective,
        engine: new NodeEngine(),
        batch,
        gradientAccumulation,
        optimizer,
      });
      replica.vectors.parameters.set(parameters);
      let at = 0;
      const done = await replica.computeGradient(() => windows.slice(at, (at += batch)));
      const scale = replica.scaleOf(done.weight);
      const gradient = replica.vectors.gradient.map((value) => value * scale);
      await replica.dispose();
      return { ...done, gradient };
    };
    const [whole, parts] = [await step(8, 1), await step(2, 4)];
    expect(parts.weight).toBe(whole.weight);
    expect(parts.loss).toBeCloseTo(whole.loss, 5);
    const largest = Math.max(...whole.gradient.map(Math.abs));
    for (const [i, value] of parts.gradient.entries())
      expect(Math.abs(value - whole.gradient[i]!) / largest).toBeLessThan(1e-5);
  });

  it('refuses a model that reads no source, as others refuse one that does, and too few sentinels', () => {
    const causal = Model.create('gpt2', {
      layers: 1,
      width: 16,
      heads: 2,
      keyValueHeads: 2,
      context: 12,
      vocabulary: V,
    });
    const options = { corruption, tokens, seed: 1, start: 0, end: 0 };
    expect(() => ofCorruptedText(causal, options)).toThrow(/`model: 't5'`/);
    expect(() => new Causal(model)).toThrow(/`objective: 'seq2seq'`/);
    expect(() => new Masked(model, { context: 12, seed: 1, rate: 0.15, mask: V - 1 })).toThrow(/`model: 'bert'`/);
    const few = { ...options, tokens: 300, corruption: { ...corruption, sentinels: 4 } };
    expect(() => ofCorruptedText(model, few)).toThrow(/300 tokens lose 15 spans, but the tokenizer has 4/);
  });
});
