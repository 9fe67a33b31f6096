import { describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { windowsOf } from '../data/sampling/windows.test-support.js';
import { NodeEngine } from '../engine/node/engine.js';
import { encode } from '../graph/index.js';
import type { StoredArray } from '../model/base-storage.js';
import { BASE_DTYPES } from '../model/family-names.js';
import { Model } from '../model/model.js';
import { Causal } from '../objectives/causal/causal.js';
import { Evaluator } from './evaluation.js';
import { Replica } from './replica.js';
import { traceGradient } from './step-program.js';

const engine = new NodeEngine();
const context = 12;
const sizes = { layers: 2, width: 64, heads: 4, keyValueHeads: 2, context, vocabulary: 23 };
const random = new Random(1);
const windows = windowsOf(
  Int32Array.from({ length: 4 * (context + 1) }, () => random.below(23)),
  context,
);
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 0 };
const settings = { rank: 4, alpha: 8 };

/** The base in few bits, and what those bits stand for. */
async function bases(model: Model, all: Float32Array) {
  const views = model.frozen.views(all);
  const stored: Record<string, StoredArray> = {};
  for (const entry of model.frozen.entries) Object.assign(stored, model.storage!.store(entry, views[entry.name]!));
  const traced = model.storage!.traced();
  const outputs = Object.fromEntries(model.frozen.entries.map(({ name }, i) => [`${i}`, traced[name]!]));
  const session = await engine.compile(encode(outputs, engine.target));
  const values = (await session.run(stored)) as Record<string, Float32Array>;
  await session.dispose();
  return {
    stored,
    expanded: model.frozen.fill(Object.fromEntries(model.frozen.entries.map(({ name }, i) => [name, values[i]!]))),
  };
}

describe.each(BASE_DTYPES.filter((dtype) => dtype !== 'fp32'))('a base in %s', (dtype) => {
  it.each(['llama', 'gpt2'])(
    'has the loss and the gradient of %s with the values that its bits stand for',
    async (family) => {
      const base = Model.create(family, { ...sizes, ...(family === 'gpt2' && { keyValueHeads: 4 }) });
      const { frozen: all } = base.adapt(settings).initialize(new Random(3));
      const small = base.adapt(settings, dtype);
      const { stored, expanded } = await bases(
        small,
        all.map((value) => 4 * value),
      );
      const trained = new Float32Array(small.trained.size).map(() => 0.3 * random.normal());
      const compute = async (model: Model, frozen: typeof expanded | typeof stored) => {
        const objective = new Causal(model, context);
        const replica = await Replica.create({
          objective,
          frozen,
          engine,
          batch: 4,
          gradientAccumulation: 1,
          optimizer,
        });
        replica.vectors.parameters.set(trained);
        const { loss } = await replica.computeGradient(() => windows);
        const gradient = replica.vectors.gradient.slice();
        await replica.dispose();
        const evaluator = new Evaluator(objective, engine, 2, {}, frozen);
        const { sum, weight } = await evaluator.lossSum(trained, windows);
        await evaluator.dispose();
        return { loss, gradient, evaluated: sum / weight };
      };
      const [mine, theirs] = [await compute(small, stored), await compute(base.adapt(settings), expanded)];
      expect(Math.abs(mine.loss / theirs.loss - 1)).toBeLessThan(1e-6);
      expect(Math.abs(mine.evaluated / theirs.evaluated - 1)).toBeLessThan(1e-6);
      const largest = Math.max(...theirs.gradient.map(Math.abs));
      for (const [i, value] of theirs.gradient.entries())
        expect(Math.abs(mine.gradient[i]! - value)).toBeLessThan(1e-5 * largest);
    },
  );
});

it('is expanded again in the backward pass, not kept', () => {
  const wide = { ...sizes, layers: 6, width: 256 };
  const peak = (dtype: 'fp32' | 'int4') => {
    const objective = new Causal(Model.create('llama', wide).adapt(settings, dtype), context);
    const target = { target: 'cpu', views: true } as const;
    return traceGradient(objective, 1, target, { accumulate: false, recompute: true }).peakBytes;
  };
  const matrix = 4 * 256 * 1024;
  // Of the 42 matrices a few are there at a time.
  expect(peak('int4') - peak('fp32')).toBeLessThan(8 * matrix);
});
