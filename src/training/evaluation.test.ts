import { describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { tokensInMemory, windowAt } from '../data/index.js';
import { NodeEngine } from '../engine/node/engine.js';
import { Model } from '../model/model.js';
import { Causal } from '../objectives/causal/causal.js';
import { Evaluator, meanLoss } from './evaluation.js';
import { Replica } from './replica.js';

const engine = new NodeEngine();
const model = Model.create('gpt2', { layers: 1, width: 16, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 11 });
const ids = Int32Array.from({ length: 60 }, (_, i) => (i * i + 3) % 11);
const objective = new Causal(model, 8);
const starts = [0, 8, 16, 24, 40];
const windows = starts.map((start) => windowAt(tokensInMemory(ids), 8, start));

describe('Evaluator', () => {
  it('gives the logarithm of the vocabulary for a model that knows nothing', async () => {
    const evaluator = new Evaluator(objective, engine, 2);
    const loss = await evaluator.lossSum(new Float32Array(model.layout.size), windows);
    expect(loss.weight).toBe(40);
    expect(meanLoss([loss])).toBeCloseTo(Math.log(11), 5);
    await evaluator.dispose();
  });

  it('does not depend on how many windows are run at once, and is the loss that training has', async () => {
    const parameters = model.layout.initialize(new Random(3)).map((value) => 10 * value);
    const sums: number[] = [];
    for (const batch of [1, 2, 5, 9]) {
      const evaluator = new Evaluator(objective, engine, batch);
      sums.push((await evaluator.lossSum(parameters, windows)).sum / 8);
      await evaluator.dispose();
    }
    for (const sum of sums) expect(sum).toBeCloseTo(sums[0]!, 4);
    const replica = await Replica.create({
      objective,
      engine,
      batch: 1,
      gradientAccumulation: 1,
      optimizer: { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0, clip: 0 },
    });
    replica.vectors.parameters.set(parameters);
    let expected = 0;
    for (const window of windows) expected += (await replica.computeGradient(() => [window])).loss;
    expect(sums[0]).toBeCloseTo(expected, 4);
    expect(Math.abs(expected / starts.length - Math.log(11))).toBeGreaterThan(0.01);
    await replica.dispose();
  });

  it('gives 0 for no window, which is what a replica without a share has', async () => {
    const evaluator = new Evaluator(objective, engine, 2);
    expect(await evaluator.lossSum(new Float32Array(model.layout.size), [])).toEqual({ sum: 0, weight: 0 });
  });
});
