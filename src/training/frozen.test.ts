import { describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import type { TokenWindow } from '../data/index.js';
import { windowsOf } from '../data/sampling/windows.test-support.js';
import type { Engine } from '../engine/engine.js';
import { NodeEngine } from '../engine/node/engine.js';
import { WebEngine } from '../engine/web/engine.js';
import { Model } from '../model/model.js';
import { createObjective, type TextObjectiveConfig } from '../objectives/create.js';
import { Evaluator } from './evaluation.js';
import { Replica } from './replica.js';
import { traceGradient } from './step-program.js';

const context = 12;
const sizes = { layers: 3, width: 16, heads: 4, keyValueHeads: 2, context, vocabulary: 23 };
const random = new Random(1);
const windows = windowsOf(
  Int32Array.from({ length: 4 * (context + 1) }, () => random.below(22)),
  context,
);
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 0 };

interface Case {
  readonly family: string;
  readonly objective: TextObjectiveConfig;
  readonly freeze: readonly string[];
}
const causal: TextObjectiveConfig = { name: 'causal' };
const cases: Case[] = [
  { family: 'gpt2', objective: causal, freeze: ['*', '!h.2.*', '!ln_f.*'] },
  { family: 'gpt2', objective: causal, freeze: ['h.*'] },
  { family: 'gpt2', objective: causal, freeze: ['*.bias'] },
  { family: 'llama', objective: causal, freeze: ['embed_tokens.*', 'layers.[0-1].*'] },
  { family: 'llama', objective: causal, freeze: ['lm_head.*', 'norm.*'] },
  { family: 'bert', objective: { name: 'masked', rate: 0.25, mask: 22 }, freeze: ['embeddings.*', 'layer.[0-1].*'] },
];

function create({ family, objective: config, freeze }: Case) {
  const model = Model.create(family, { ...sizes, ...(family !== 'llama' && { keyValueHeads: 4 }) }).freeze(freeze);
  const objective = createObjective(config, { model, context, seed: 5 });
  const all = model.layout.initialize(new Random(3)).map((value) => 8 * value);
  return { model, objective, all, ...model.cut(all) };
}

/** Two steps of two micro-batches each. */
async function train(engine: Engine, { objective, trained, frozen }: ReturnType<typeof create>) {
  const replica = await Replica.create({ objective, frozen, engine, batch: 2, gradientAccumulation: 2, optimizer });
  replica.vectors.parameters.set(trained);
  const losses: number[] = [];
  let gradient: Float32Array | undefined;
  let at = 0;
  const next = (): TokenWindow[] => [windows[at++ % 4]!, windows[at++ % 4]!];
  for (let step = 0; step < 2; step++) {
    const { loss, weight } = await replica.computeGradient(next);
    gradient ??= replica.vectors.gradient.slice();
    losses.push(loss);
    await replica.applyGradient(step, 1e-2, replica.scaleOf(weight));
  }
  const parameters = replica.vectors.parameters.slice();
  await replica.dispose();
  return { losses, gradient: gradient!, parameters };
}

/** With the error that the engine's sums allow, over the largest element of the gradient. */
const engines: [string, number, () => Promise<Engine>][] = [
  ['views of vectors', 1e-6, async () => new NodeEngine()],
  ['vectors cut in the graph', 2e-5, () => WebEngine.create('wasm')],
];

describe.each(engines)('frozen parameters as %s', (_, error, start) => {
  it.each(cases)('give $family without $freeze the gradient that it has unfrozen', async (one) => {
    const engine = await start();
    const part = create(one);
    const { trained, layout } = part.model;
    const mine = await train(engine, part);
    const whole = await train(engine, create({ ...one, freeze: [] }));
    // Not to the bit everywhere: what is fused in the forward pass follows from what the backward pass reads of it.
    expect(Math.abs(mine.losses[0]! / whole.losses[0]! - 1)).toBeLessThan(1e-6);
    expect(mine.losses[1]).not.toBe(mine.losses[0]);
    const [found, expected] = [trained.views(mine.gradient), layout.views(whole.gradient)];
    const largest = Math.max(...whole.gradient.map(Math.abs));
    for (const { name } of trained.entries)
      for (const [i, value] of found[name]!.entries())
        expect(Math.abs(value - expected[name]![i]!), name).toBeLessThan(error * largest);
  });

  it.each(cases)('are what $family without $freeze is evaluated with', async (one) => {
    const engine = await start();
    const part = create(one);
    const whole = create({ ...one, freeze: [] });
    const evaluate = async ({ objective, trained, frozen }: ReturnType<typeof create>) => {
      const evaluator = new Evaluator(objective, engine, 2, {}, frozen);
      const { sum } = await evaluator.lossSum(trained, windows);
      await evaluator.dispose();
      return sum;
    };
    expect(await evaluate(part)).toBe(await evaluate(whole));
    const other = { ...part, frozen: part.frozen.map((value) => value + 0.1) };
    expect(await evaluate(other)).not.toBe(await evaluate(whole));
  });
});

it('computes nothing for what is frozen before the first block that is trained', () => {
  const target = { target: 'cpu', views: true } as const;
  const size = (freeze: readonly string[]) => {
    const { objective } = create({ family: 'gpt2', objective: causal, freeze });
    return traceGradient(objective, 4, target, { accumulate: false, recompute: false });
  };
  const [part, whole] = [size(['*', '!h.2.*', '!ln_f.*']), size([])];
  expect(
    [...part.outputs.keys()].filter((name) => name !== 'loss').every((name) => /\.h\.2\.|\.ln_f\./.test(name)),
  ).toBe(true);
  expect(part.onnx.length).toBeLessThan(0.75 * whole.onnx.length);
  expect(part.peakBytes).toBeLessThan(0.7 * whole.peakBytes);
});

it('refuses a frozen vector of another size', async () => {
  const { objective, frozen } = create(cases[0]!);
  const common = { objective, engine: new NodeEngine(), batch: 1, gradientAccumulation: 1, optimizer };
  await expect(Replica.create(common)).rejects.toThrow(`expected a vector of ${frozen.length}, got 0`);
});
