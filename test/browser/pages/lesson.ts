import { Random } from '../../../src/base/random.js';
import { windowsOf } from '../../../src/data/sampling/windows.test-support.js';
import type { Engine } from '../../../src/engine/engine.js';
import { Model } from '../../../src/model/model.js';
import { Causal } from '../../../src/objectives/causal/causal.js';
import { Replica } from '../../../src/training/replica.js';

/** A few steps of training that every engine can do: the same text, the same first parameters. */
export interface Lesson {
  readonly family: 'gpt2' | 'llama';
  readonly text: string;
  readonly steps: number;
  readonly threads?: number;
}

const batch = 2;
const length = 16;

/** Trains a small model on characters of the text; returns the loss before each step. */
export async function trainLesson(engine: Engine, { family, text, steps, threads = 1 }: Lesson): Promise<number[]> {
  const alphabet = [...new Set(text)].sort();
  const tokens = Int32Array.from(text, (character) => alphabet.indexOf(character));
  const model = Model.create(family, {
    layers: 2,
    width: 32,
    heads: 4,
    keyValueHeads: family === 'llama' ? 2 : 4,
    context: length,
    vocabulary: alphabet.length,
  });
  const replica = await Replica.create({
    objective: new Causal(model, length),
    engine,
    batch,
    gradientAccumulation: 1,
    optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 },
    compile: { threads },
  });
  replica.vectors.parameters.set(model.layout.initialize(new Random(7)));
  const rows = batch * (length + 1);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const windows = windowsOf(tokens.slice(step * rows, (step + 1) * rows), length);
    const { loss, weight } = await replica.computeGradient(() => windows);
    losses.push(loss);
    await replica.applyGradient(step, 1e-2, replica.scaleOf(weight));
  }
  await replica.dispose();
  return losses;
}
