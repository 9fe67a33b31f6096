import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { Draw, type Instance, type Operand } from '../../test/operators/case.js';
import { cases, inputFor, notDifferentiable } from '../../test/operators/cases.js';
import { INT8_PRODUCTS } from '../../test/operators/int8-cases.js';
import type { Values } from '../../test/operators/values.js';
import { Random } from '../base/random.js';
import {
  add,
  attention,
  encode,
  gradients,
  input,
  mul,
  operators,
  reduceSum,
  reshape,
  type Shape,
  scatterAdd,
  type Tensor,
} from '../graph/index.js';
import { apply1 } from '../graph/tensor.js';
import { arrayTypes, type Engine, type HostArrays } from './engine.js';
import { probeInt8 } from './int8-probe.js';
import { NodeEngine } from './node/engine.js';
import { WebEngine } from './web/engine.js';

/** Float32 has 24 bits: sums of some tens of terms of size 1 lose a few of them. Relative to the largest value. */
const FORWARD_TOLERANCE = 5e-6;
/** Gradients go through several such sums. */
const GRADIENT_TOLERANCE = 3e-5;
const runs = { numRuns: 10 };

const list = <T>(x: T | readonly T[]): readonly T[] => (Array.isArray(x) ? x : [x as T]);
const hostArray = ({ dtype, data }: Operand) =>
  dtype === 'int64' ? BigInt64Array.from(data, (value) => BigInt(value)) : arrayTypes[dtype].from(data);

function expectClose(what: string, actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length, what).toBe(expected.length);
  const largest = Array.from(expected, Math.abs).reduce((a, b) => Math.max(a, b), 1);
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!) / largest;
    expect(difference, `${what}, element ${i}: ${actual[i]} and ${expected[i]}`).toBeLessThan(tolerance);
  }
}

async function run(engine: Engine, outputs: Record<string, Tensor>, feeds: HostArrays) {
  const session = await engine.compile(encode(outputs, engine.target));
  const results = await session.run(feeds);
  await session.dispose();
  return results as Record<string, Float32Array>;
}

/** The sum of each output times fixed weights: a scalar whose gradient reaches everything. */
const weightOf = (i: number, j: number): number => Math.fround(Math.cos(3 * i + 5 * j + 1));

function tracedLoss(outputs: readonly Tensor[]): Tensor {
  const terms = outputs.map((y, i) => {
    const flat = reshape(y, [y.shape.reduce((a, b) => a * b, 1)]);
    return reduceSum(mul(flat, input(`weights${i}`, flat.shape)), [0]);
  });
  return terms.reduce(add);
}

const weightFeeds = (outputs: readonly Values[]) =>
  Object.fromEntries(outputs.map(({ data }, i) => [`weights${i}`, Float32Array.from(data, (_, j) => weightOf(i, j))]));

/** Central differences of the reference in float64, Richardson's extrapolation of two step sizes: error O(h⁴). */
function numericGradient(instance: Instance, which: number): Float64Array {
  const lossAt = (data: Float64Array) => {
    const operands = instance.operands.map((operand, i) => (i === which ? { ...operand, data } : operand));
    return list(instance.reference(...operands)).reduce(
      (total, y, i) => y.data.reduce((sum, value, j) => sum + value * weightOf(i, j), total),
      0,
    );
  };
  const { data } = instance.operands[which]!;
  const slope = (j: number, h: number) => {
    const moved = (by: number) => data.with(j, data[j]! + by);
    return (lossAt(moved(h)) - lossAt(moved(-h))) / (2 * h);
  };
  return data.map((_, j) => (4 * slope(j, 1e-4) - slope(j, 2e-4)) / 3);
}

async function check(engine: Engine, instance: Instance, differentiable: boolean): Promise<void> {
  const { operands } = instance;
  const inputs = operands.map((operand, i) => inputFor(i, operand));
  const outputs = list(instance.trace(...inputs));
  const expected = list(instance.reference(...operands));
  expect(outputs.map((y) => [...y.shape])).toEqual(expected.map((y) => [...y.shape]));

  const wanted = operands.flatMap(({ dtype, fixed }, i) =>
    differentiable && dtype === 'float32' && !fixed ? [i] : [],
  );
  const traced =
    wanted.length > 0
      ? gradients(
          tracedLoss(outputs),
          wanted.map((i) => inputs[i]!),
        )
      : [];
  const named = {
    ...Object.fromEntries(outputs.map((y, i) => [`y${i}`, y])),
    ...Object.fromEntries(traced.map((y, i) => [`d${wanted[i]}`, y])),
  };
  const feeds = Object.fromEntries(operands.map((operand, i) => [`operand${i}`, hostArray(operand)]));
  const results = await run(engine, named, { ...feeds, ...weightFeeds(expected) });
  expected.forEach(({ data }, i) => {
    expectClose(`output ${i}`, results[`y${i}`]!, data, instance.tolerance ?? FORWARD_TOLERANCE);
  });
  traced.forEach((tensor, n) => {
    const i = wanted[n]!;
    expect([...tensor.shape]).toEqual([...operands[i]!.shape]);
    expectClose(
      `gradient of operand ${i}`,
      results[`d${i}`]!,
      numericGradient(instance, i),
      instance.gradientTolerance ?? GRADIENT_TOLERANCE,
    );
  });
}

describe('the table of operators', () => {
  it('has a case for each, and a gradient for each but those listed with a reason', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(operators).sort());
    for (const [name, operator] of Object.entries(operators)) {
      expect(operator.name).toBe(name);
      const gradient = operator.gradient && name !== 'stopGradient';
      expect(!gradient, `${name} is listed as not differentiable`).toBe(name in notDifferentiable);
    }
  });
});

/** Runs what is lowered for WebGPU on the CPU: the arithmetic is the same where no GPU is. */
function loweredForWebGpu(): Engine {
  const cpu = new NodeEngine();
  const compile: Engine['compile'] = (program, options) => cpu.compile({ ...program, target: 'cpu' }, options);
  return { name: 'WebGPU lowered to the CPU', target: 'webgpu', views: false, compile };
}

// The CPU has fused operators of its own; WASM runs the plain ones that composite operators decompose into.
describe.each(['cpu', 'wasm', 'lowerings of webgpu'] as const)('operators on %s', (target) => {
  let engine: Engine;
  let exact: boolean;
  beforeAll(async () => {
    if (target === 'wasm') engine = await WebEngine.create('wasm');
    else engine = target === 'cpu' ? new NodeEngine() : loweredForWebGpu();
    ({ exact } = await probeInt8(engine));
  });

  it.for(Object.keys(cases))(
    '%s: values as in float64, gradients as by central differences',
    async (name, { skip }) => {
      skip(!exact && INT8_PRODUCTS.includes(name), 'this processor has no exact products in 8 bits');
      const property = fc.asyncProperty(fc.gen(), (g) =>
        check(engine, cases[name]!(new Draw(g)), !(name in notDifferentiable)),
      );
      await fc.assert(property, runs);
    },
  );
});

it('adds rows in the same order however many there are, where a device would not', async () => {
  const [count, rows, width] = [5000, 7, 3];
  const random = new Random(1);
  const ids = BigInt64Array.from({ length: count }, () => BigInt(random.below(rows)));
  // Sums of these are exact, so any order has the same bits.
  const updates = Float32Array.from({ length: count * width }, () => random.below(9) - 4);
  const expected = new Float32Array(rows * width).fill(0.5);
  for (const [i, id] of ids.entries())
    for (let j = 0; j < width; j++) expected[Number(id) * width + j]! += updates[i * width + j]!;
  const y = scatterAdd(input('base', [rows, width]), input('ids', [count], 'int64'), input('updates', [count, width]));
  const feeds = { base: new Float32Array(rows * width).fill(0.5), ids, updates };
  expect((await run(loweredForWebGpu(), { y }, feeds)).y).toEqual(expected);
});

describe('attention over a long sequence', () => {
  it.each([
    [{}, 300, 300],
    [{ window: 40, softcap: 2, scale: 0.5 }, 150, 150],
    // The last of four blocks has the queries from 225 on, which see keys from 186 on: the third block and their own.
    [{ window: 40 }, 300, 150],
    [{ biased: true }, 300, 300],
  ])(
    'with %j is computed in blocks of queries with the values and gradients of the whole',
    async ({ biased = false, ...options }: { biased?: boolean; window?: number }, length, seen) => {
      const shapes = [...Array<Shape>(3).fill([length, 1, 2, 3]), ...(biased ? [[2, length, length]] : [])];
      const draws = fc.sample(fc.gen(), shapes.length).map((g) => new Draw(g));
      const operands = draws.map((draw, i) => draw.floats(shapes[i]!));
      const inputs = operands.map((operand, i) => inputFor(i, operand));
      const [q, k, v, bias] = inputs as [Tensor, Tensor, Tensor, Tensor?];
      const blocked = attention(q, k, v, { ...options, bias });
      const whole = apply1(operators.attention!, inputs, { ...options, ...(biased && { biased }) });
      expect(blocked.node.operator.name).toBe('concat');
      expect(blocked.node.inputs.at(-1)!.node.inputs[1]!.shape[0]).toBe(seen);
      const named = (name: string, y: Tensor) =>
        [y, ...gradients(tracedLoss([y]), inputs)].map((tensor, i) => [`${name}${i}`, tensor]);
      const feeds = Object.fromEntries(operands.map((operand, i) => [`operand${i}`, hostArray(operand)]));
      const outputs = Object.fromEntries([...named('blocked', blocked), ...named('whole', whole)]);
      const results = await run(new NodeEngine(), outputs, { ...feeds, ...weightFeeds(operands.slice(0, 1)) });
      for (const i of [0, ...shapes.map((_, i) => i + 1)]) {
        expect(results[`whole${i}`]!.some((value) => value > 0.1)).toBe(true);
        expectClose(`result ${i}`, results[`blocked${i}`]!, results[`whole${i}`]!, GRADIENT_TOLERANCE);
      }
    },
  );
});
