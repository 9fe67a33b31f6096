import { describe, expect, it } from 'vitest';
import { NodeEngine } from '../engine/node/engine.js';
import { RANGE } from '../training/ranges.js';
import { OuterOptimizer } from './outer.js';
import { OuterStep } from './outer-step.js';

const engine = new NodeEngine();
const nesterov = { method: 'nesterov', learningRate: 0.7, momentum: 0.9 } as const;
const average = { method: 'average', learningRate: 1, momentum: 0 } as const;
const f = Math.fround;
const bits = (x: Float32Array) => Buffer.from(x.buffer, x.byteOffset, x.byteLength);
const wave = (size: number, step: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(step * i + step));

describe('OuterStep', () => {
  it("moves as PyTorch's SGD with Nesterov momentum, each operation rounded once", async () => {
    const size = RANGE + 3;
    const step = new OuterStep(engine, nesterov);
    const [base, momentum, gradient] = [wave(size, 1), wave(size, 2), wave(size, 3)];
    const moved = momentum.map((m, i) => f(f(m * f(0.9)) + gradient[i]!));
    const expected = base.map((p, i) => f(p - f(f(gradient[i]! + f(moved[i]! * f(0.9))) * f(0.7))));
    await step.apply(base, momentum, gradient, base);
    expect(bits(base).equals(bits(expected))).toBe(true);
    expect(bits(momentum).equals(bits(moved))).toBe(true);
    expect(bits(gradient).equals(bits(wave(size, 3)))).toBe(true);
    await step.dispose();
  });

  it('gives the same bits for a range as for the whole', async () => {
    const step = new OuterStep(engine, nesterov);
    const whole = { base: wave(1000, 1), momentum: wave(1000, 2) };
    const parts = { base: wave(1000, 1), momentum: wave(1000, 2) };
    const gradient = wave(1000, 3);
    const next = new Float32Array(1000);
    await step.apply(whole.base, whole.momentum, gradient, next);
    for (const [start, end] of [
      [0, 333],
      [333, 1000],
    ] as const) {
      const cut = (vector: Float32Array) => vector.subarray(start, end);
      await step.apply(cut(parts.base), cut(parts.momentum), cut(gradient), cut(parts.base));
    }
    expect(parts.base).toEqual(next);
    expect(parts.momentum).toEqual(whole.momentum);
    expect(whole.base).toEqual(wave(1000, 1));
    await step.dispose();
  });

  it('makes the step that threads make from the parameters of one replica', async () => {
    for (const options of [nesterov, average]) {
      const step = new OuterStep(engine, options);
      const outer = await OuterOptimizer.create(engine, 100, 1, options);
      const [base, local] = [wave(100, 1), wave(100, 4)];
      const [ours, theirs] = [wave(100, 2), wave(100, 2)];
      const [a, b] = [new Float32Array(100), new Float32Array(100)];
      await step.apply(
        base,
        ours,
        base.map((p, i) => p - local[i]!),
        a,
      );
      await outer.step(base, theirs, [local], [1], [b]);
      expect(a).toEqual(b);
      expect(ours).toEqual(theirs);
      await step.dispose();
      await outer.dispose();
    }
  });

  it('takes the average as it is, and leaves momentum alone then', async () => {
    const step = new OuterStep(engine, average);
    const momentum = Float32Array.of(5, 5);
    const into = new Float32Array(2);
    await step.apply(Float32Array.of(1, 2), momentum, Float32Array.of(0.25, -1), into);
    expect(into).toEqual(Float32Array.of(0.75, 3));
    expect(momentum).toEqual(Float32Array.of(5, 5));
    await step.dispose();
  });
});
