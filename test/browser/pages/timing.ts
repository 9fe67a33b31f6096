import { Random } from '../../../src/base/random.js';
import type { Engine } from '../../../src/engine/engine.js';
import { Model } from '../../../src/model/model.js';
import { Causal } from '../../../src/objectives/causal/causal.js';
import { Replica } from '../../../src/training/replica.js';

/** Steps of a 4×256 GPT-2 (T = 256, B = 4, V = 4096) to be timed. */
export interface TimedSteps {
  readonly int8: boolean;
  readonly steps: number;
}

const sizes = { layers: 4, width: 256, heads: 4, keyValueHeads: 4, context: 256, vocabulary: 4096 };
const batch = 4;

/** Milliseconds of each step after the first, and the last loss, in nats per token. */
export async function timeSteps(engine: Engine, { int8, steps }: TimedSteps): Promise<{ ms: number[]; loss: number }> {
  const model = Model.create('gpt2', sizes);
  const replica = await Replica.create({
    objective: new Causal(model),
    engine,
    batch,
    gradientAccumulation: 1,
    optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 },
    int8: int8 ? { seed: 1 } : undefined,
  });
  replica.vectors.parameters.set(model.layout.initialize(new Random(1)));
  const random = new Random(2);
  const window = () => ({
    ids: Int32Array.from({ length: sizes.context + 1 }, () => Math.floor(sizes.vocabulary * random.uniform() ** 3)),
    number: [0, 0] as const,
  });
  const ms: number[] = [];
  let last = Number.NaN;
  for (let step = 0; step <= steps; step++) {
    const windows = Array.from({ length: batch }, window);
    const start = performance.now();
    const { loss, weight } = await replica.computeGradient(() => windows, [0, step]);
    await replica.applyGradient(step, 1e-3, replica.scaleOf(weight));
    if (step > 0) ms.push(performance.now() - start);
    last = loss;
  }
  await replica.dispose();
  return { ms, loss: last };
}
