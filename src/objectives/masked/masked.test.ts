import { describe, expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import { windowsOf } from '../../data/sampling/windows.test-support.js';
import type { HostArray } from '../../engine/engine.js';
import { NodeEngine } from '../../engine/node/engine.js';
import { Model } from '../../model/model.js';
import { Evaluator, meanLoss } from '../../training/evaluation.js';
import { Replica } from '../../training/replica.js';
import { feedArrays } from '../../training/step-program.js';
import { Causal } from '../causal/causal.js';
import { Masked } from './masked.js';

const V = 23;
const context = 12;
const model = Model.create('bert', { layers: 1, width: 16, heads: 2, keyValueHeads: 2, context, vocabulary: V });
const objective = new Masked(model, { context, seed: 9, rate: 0.25, mask: V - 1 });
const random = new Random(1);
const windows = windowsOf(
  Int32Array.from({ length: 8 * (context + 1) }, () => random.below(V - 1)),
  context,
);
const parameters = model.layout.initialize(new Random(3)).map((value) => 20 * value);
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, clip: 0 };

describe('Masked', () => {
  it('masks a window by its number and the seed alone, and weighs it by what is to be told', () => {
    const fill = (order: readonly number[]) => {
      const arrays: Record<string, HostArray> = feedArrays(objective, order.length);
      const weight = objective.fill(
        order.map((i) => windows[i]!),
        arrays,
      );
      expect([...(arrays.weights as Float32Array)].reduce((sum, w) => sum + w, 0)).toBe(weight);
      return { weight, ids: [...(arrays.ids as BigInt64Array)] };
    };
    const both = fill([0, 1]);
    expect(fill([0, 1])).toEqual(both);
    const [a, b] = [fill([0]), fill([1])];
    expect(both.weight).toBe(a.weight + b.weight);
    expect(both.ids).toEqual(a.ids.flatMap((id, t) => [id, b.ids[t]]));
    expect(windows.map((_, i) => fill([i]).weight).some((weight) => weight !== a.weight)).toBe(true);
  });

  it('gives the same step from micro-batches of other weights as from one batch of all', async () => {
    const step = async (batch: number, gradientAccumulation: number) => {
      const engine = new NodeEngine();
      const replica = await Replica.create({ objective, engine, batch, gradientAccumulation, optimizer });
      replica.vectors.parameters.set(parameters);
      let at = 0;
      const done = await replica.computeGradient(() => windows.slice(at, (at += batch)));
      const scale = replica.scaleOf(done.weight);
      const gradient = replica.vectors.gradient.map((value) => value * scale);
      const { gradientNorm } = await replica.applyGradient(0, 1e-2, scale);
      await replica.dispose();
      return { ...done, gradient, gradientNorm };
    };
    const [whole, parts] = [await step(8, 1), await step(2, 4)];
    expect(parts.weight).toBe(whole.weight);
    expect(parts.loss).toBeCloseTo(whole.loss, 5);
    expect(parts.gradientNorm).toBeCloseTo(whole.gradientNorm, 4);
    const largest = Math.max(...whole.gradient.map(Math.abs));
    for (const [i, value] of parts.gradient.entries())
      expect(Math.abs(value - whole.gradient[i]!) / largest).toBeLessThan(1e-5);
  });

  it('has the logarithm of the vocabulary as the loss of a model that knows nothing, however few are run at once', async () => {
    const losses: number[] = [];
    for (const batch of [1, 3, 8]) {
      const evaluator = new Evaluator(objective, new NodeEngine(), batch);
      losses.push(meanLoss([await evaluator.lossSum(new Float32Array(model.layout.size), windows)]));
      await evaluator.dispose();
    }
    for (const loss of losses) expect(loss).toBeCloseTo(Math.log(V), 5);
  });

  it('refuses a model that sees the past alone, as the next token refuses one that sees all', () => {
    const causal = Model.create('gpt2', { layers: 1, width: 16, heads: 2, keyValueHeads: 2, context, vocabulary: V });
    expect(() => new Masked(causal, { context, seed: 1, rate: 0.15, mask: V - 1 })).toThrow(/`model: 'bert'`/);
    expect(() => new Causal(model)).toThrow(/`objective: 'masked'`/);
  });
});
