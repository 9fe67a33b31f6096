import { describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { windowsOf } from '../data/sampling/windows.test-support.js';
import type { Engine } from '../engine/engine.js';
import { NodeEngine } from '../engine/node/engine.js';
import { Model } from '../model/model.js';
import { Causal } from '../objectives/causal/causal.js';
import type { HalfPrecision } from './precision-names.js';
import { Replica } from './replica.js';

/** Runs what is lowered for WebGPU on the CPU, whose provider rounds as fp16 does and computes in float32. */
const cpu = new NodeEngine();
const engine: Engine = {
  ...{ name: 'WebGPU lowered to the CPU', target: 'webgpu', views: false },
  compile: (program, options) => cpu.compile({ ...program, target: 'cpu' }, options),
};
const optimizer = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 };
const context = 24;
const random = new Random(3, 'text');
const text = Int32Array.from({ length: 40 * (context + 1) }, (_, i) => (i * i * 7 + random.below(3)) % 50);
const windows = windowsOf(text, context);

async function open(family: string, half?: HalfPrecision) {
  const sizes = { layers: 2, width: 64, heads: 4, keyValueHeads: family === 'llama' ? 2 : 4, context, vocabulary: 50 };
  const objective = new Causal(Model.create(family, sizes), context);
  const common = { objective, engine, batch: 4, gradientAccumulation: 2, optimizer };
  const replica = await Replica.create({ ...common, half });
  replica.adopt({ parameters: objective.layout.initialize(new Random(1)) });
  let at = 0;
  const next = () => Array.from({ length: 4 }, () => windows[at++ % windows.length]!);
  const step = async (i: number) => {
    const { loss, weight } = await replica.computeGradient(next, [i]);
    return { loss, ...(await replica.applyGradient(i, 3e-3, replica.scaleOf(weight))) };
  };
  return { replica, step };
}

describe.each(['gpt2', 'llama'])('products of %s in fp16', (family) => {
  it('give the losses of float32 within their rounding, over 30 steps of float32 weights', async () => {
    const [whole, half] = [await open(family), await open(family, 'fp16')];
    const losses: [number, number][] = [];
    for (let i = 0; i < 30; i++) losses.push([(await whole.step(i)).loss, (await half.step(i)).loss]);
    expect(losses[0]![0]).not.toBe(losses[0]![1]);
    for (const [i, [exact, rounded]] of losses.entries())
      expect(Math.abs(rounded / exact - 1), `step ${i}`).toBeLessThan(i === 0 ? 1e-4 : 5e-3);
    expect(losses.at(-1)![0]).toBeLessThan(losses[0]![0] - 0.3);
    // Weights are not rounded to what fp16 holds.
    const { parameters } = half.replica.vectors;
    expect(parameters.filter((x) => x !== Math.fround(Math.round(x * 2 ** 11) / 2 ** 11)).length).toBeGreaterThan(
      parameters.length / 2,
    );
    await whole.replica.dispose();
    await half.replica.dispose();
  });
});

describe('the scale of the loss', () => {
  it('changes no gradient but for what fp16 could not hold', async () => {
    const small = await open('gpt2', 'fp16');
    const large = await open('gpt2', 'fp16');
    small.replica.restoreLossScale({ scale: 2 ** 4, steps: 0 });
    large.replica.restoreLossScale({ scale: 2 ** 10, steps: 0 });
    const fixed = () => windows.slice(0, 4);
    await small.replica.computeGradient(fixed);
    await large.replica.computeGradient(fixed);
    const [a, b] = [small.replica.vectors.gradient, large.replica.vectors.gradient];
    const distance = Math.hypot(...a.map((x, i) => x - b[i]!)) / Math.hypot(...b);
    expect(distance).toBeGreaterThan(0);
    expect(distance).toBeLessThan(0.02);
    await small.replica.dispose();
    await large.replica.dispose();
  });

  it('leaves a step out whose gradient it made too large, and is smaller at the next', async () => {
    const { replica, step } = await open('gpt2', 'fp16');
    replica.restoreLossScale({ scale: 2 ** 24, steps: 5 });
    // Of a model that is surely wrong, so that its gradient is large.
    replica.adopt({ parameters: replica.vectors.parameters.map((x) => 20 * x) });
    const before = replica.vectors.parameters.slice();
    const first = await step(0);
    expect(first).toMatchObject({ gradientNorm: 0, skipped: true });
    expect(replica.vectors.parameters).toEqual(before);
    expect(replica.lossScale).toEqual({ scale: 2 ** 23, steps: 0 });
    let done = first;
    for (let i = 1; done.skipped; i++) done = await step(i);
    expect(done.gradientNorm).toBeGreaterThan(0.1);
    expect(replica.lossScale!.steps).toBe(1);
    expect(replica.vectors.parameters).not.toEqual(before);
    await replica.dispose();
  });

  it('goes on from a checkpoint to the bit', async () => {
    const whole = await open('llama', 'fp16');
    whole.replica.restoreLossScale({ scale: 2 ** 20, steps: 0 });
    for (let i = 0; i < 4; i++) await whole.step(i);
    const { parameters, moment1, moment2 } = whole.replica.vectors;
    const saved = { parameters: parameters.slice(), moment1: moment1.slice(), moment2: moment2.slice() };
    const scale = whole.replica.lossScale!;
    const resumed = await open('llama', 'fp16');
    resumed.replica.adopt(saved);
    resumed.replica.restoreLossScale(scale);
    const fixed = () => windows.slice(8, 12);
    for (const { replica } of [whole, resumed]) {
      const { weight } = await replica.computeGradient(fixed);
      await replica.applyGradient(4, 3e-3, replica.scaleOf(weight));
    }
    expect(resumed.replica.vectors.parameters).toEqual(whole.replica.vectors.parameters);
    expect(resumed.replica.lossScale).toEqual(whole.replica.lossScale);
    await whole.replica.dispose();
    await resumed.replica.dispose();
  });

  it('is of fp16 alone', async () => {
    const { replica } = await open('gpt2');
    expect(replica.lossScale).toBeUndefined();
    await replica.dispose();
  });
});
