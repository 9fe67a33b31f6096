import { describe, expect, it } from 'vitest';
import { NodeEngine } from '../engine/node/engine.js';
import { RANGE } from '../training/ranges.js';
import { OuterOptimizer } from './outer.js';
import type { OuterOptions } from './outer-step.js';

const engine = new NodeEngine();
const nesterov: OuterOptions = { method: 'nesterov', learningRate: 0.7, momentum: 0.7 };
const average: OuterOptions = { method: 'average', learningRate: 1, momentum: 0 };

describe('OuterOptimizer', () => {
  it("moves as PyTorch's SGD with Nesterov momentum", async () => {
    // torch.optim.SGD([p], lr=0.7, momentum=0.7, nesterov=True) with gradients 0.5, then 0.205: by its own formula
    // buf = 0.5, step 0.7 · (0.5 + 0.7 · 0.5); buf = 0.7 · 0.5 + 0.205, step 0.7 · (0.205 + 0.7 · 0.555).
    const outer = await OuterOptimizer.create(engine, 1, 2, nesterov);
    const base = Float32Array.of(1);
    const momentum = Float32Array.of(0);
    await outer.step(base, momentum, [Float32Array.of(0.25), Float32Array.of(0.75)], [0.5, 0.5], [base]);
    expect(base[0]).toBeCloseTo(0.405, 6);
    expect(momentum[0]).toBeCloseTo(0.5, 6);
    await outer.step(base, momentum, [Float32Array.of(0.2), Float32Array.of(0.2)], [0.5, 0.5], [base]);
    expect(base[0]).toBeCloseTo(-0.01045, 6);
    expect(momentum[0]).toBeCloseTo(0.555, 6);
    await outer.dispose();
  });

  it('averages by weight over more than one range, into the vectors themselves', async () => {
    const size = RANGE + 3;
    const outer = await OuterOptimizer.create(engine, size, 3, average);
    const vectors = [1, 2, 3].map((k) => Float32Array.from({ length: size }, (_, i) => k * (i % 17)));
    const base = new Float32Array(size).fill(5);
    const momentum = new Float32Array(size).fill(8);
    const expected = Array.from({ length: size }, (_, i) => (0.5 * 1 + 0.25 * 2 + 0.25 * 3) * (i % 17));
    const step = vectors.map((vector) => vector.slice());
    await outer.step(base, momentum, step, [0.5, 0.25, 0.25], step);
    await outer.mean(vectors, [0.5, 0.25, 0.25], vectors);
    for (const vector of [...step, ...vectors]) {
      for (const i of [0, 1, 16, RANGE - 1, RANGE, size - 1]) expect(vector[i]).toBeCloseTo(expected[i]!, 5);
    }
    expect(momentum.every((value) => value === 8)).toBe(true);
    expect(base.every((value) => value === 5)).toBe(true);
    await outer.dispose();
  });

  it('leaves what all replicas agree on as it is, to the bit, though a third has no exact weight', async () => {
    const outer = await OuterOptimizer.create(engine, 100, 3, average);
    const values = Float32Array.from({ length: 100 }, (_, i) => Math.sin(i) / 3);
    const result = new Float32Array(100);
    await outer.step(values, new Float32Array(100), [values, values, values], [1 / 3, 1 / 3, 1 / 3], [result]);
    expect(result).toEqual(values);
    await outer.dispose();
  });
});
