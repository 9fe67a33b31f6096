import {
  add,
  broadcastTo,
  concat,
  constant,
  counting,
  type DType,
  div,
  erf,
  exp,
  gelu,
  geluErf,
  input,
  log,
  mul,
  reduceMax,
  reduceMean,
  reduceSum,
  reduceSumSquare,
  relu,
  reshape,
  type Shape,
  scale,
  shift,
  sigmoid,
  silu,
  softmax,
  softplus,
  split,
  sqrt,
  stopGradient,
  sub,
  type Tensor,
  tail,
  tanh,
  transpose,
} from '../../src/graph/index.js';
import type { OperatorCase } from './case.js';
import { exchangeCases } from './exchange-cases.js';
import { int8Cases, int8NotDifferentiable } from './int8-cases.js';
import { modelCases } from './model-cases.js';
import { at, fill, map, reduced, rows, softmaxRow, transposed, type Values, zip } from './values.js';

const binary =
  (trace: (a: Tensor, b: Tensor) => Tensor, f: (a: number, b: number) => number, low = -2): OperatorCase =>
  (draw) => {
    const shape = draw.shape();
    const shapes: Shape[] = [shape, draw.broadcastable(shape)];
    if (draw.bool()) shapes.reverse();
    const operands = [draw.floats(shapes[0]!), draw.floats(shapes[1]!, low)];
    return { operands, trace, reference: (a, b) => zip(a!, b!, f) };
  };

const unary =
  (trace: (x: Tensor) => Tensor, f: (x: number) => number, low = -2): OperatorCase =>
  (draw) => ({ operands: [draw.floats(draw.shape(), low)], trace, reference: (x) => map(x!, f) });

const reducing =
  (
    trace: (x: Tensor, axes: readonly number[], keep: boolean) => Tensor,
    f: (total: number, value: number) => number,
    start: number,
  ): OperatorCase =>
  (draw) => {
    const shape = draw.shape();
    const axes = draw.axes(shape.length);
    const keep = draw.bool();
    return {
      operands: [draw.floats(shape)],
      trace: (x) => trace(x, axes, keep),
      reference: (x) => reduced(x!, axes, keep, f, start),
    };
  };

/** The error function's Taylor series; exact enough while |x| is below 3. */
const errorFunction = (x: number): number => {
  let [sum, power] = [0, x];
  for (let n = 0; n < 60; n++, power *= -(x * x) / n) sum += power / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * sum;
};

const logistic = (x: number) => 1 / (1 + Math.exp(-x));

/** One case for each operator of the table. */
export const cases: Record<string, OperatorCase> = {
  input: (draw) => ({ operands: [draw.floats(draw.shape())], trace: (x) => x, reference: (x) => x! }),
  constant: (draw) => {
    const { shape, data } = draw.floats(draw.shape());
    return { operands: [], trace: () => constant(Float32Array.from(data), shape), reference: () => ({ shape, data }) };
  },
  counting: (draw) => {
    const size = draw.size();
    const data = Float64Array.from({ length: size }, (_, i) => i);
    return { operands: [], trace: () => counting(size), reference: () => ({ shape: [size], data }) };
  },
  add: binary(add, (a, b) => a + b),
  sub: binary(sub, (a, b) => a - b),
  mul: binary(mul, (a, b) => a * b),
  div: binary(div, (a, b) => a / b, 0.5),
  exp: unary(exp, Math.exp),
  log: unary(log, Math.log, 0.25),
  sqrt: unary(sqrt, Math.sqrt, 0.25),
  tanh: unary(tanh, Math.tanh),
  sigmoid: unary(sigmoid, logistic),
  erf: unary(erf, errorFunction),
  geluErf: unary(geluErf, (x) => (x / 2) * (1 + errorFunction(x * Math.SQRT1_2))),
  softplus: unary(softplus, (x) => Math.log1p(Math.exp(x))),
  silu: unary(silu, (x) => x * logistic(x)),
  relu: (draw) => {
    const x = draw.floats(draw.shape());
    // Away from 0, where a central difference spans both sides.
    const data = x.data.map((v) => Math.fround(v + (v < 0 ? -0.1 : 0.1)));
    return {
      operands: [{ ...x, data }],
      trace: (operand) => relu(operand!),
      reference: (operand) => map(operand!, (v) => Math.max(v, 0)),
    };
  },
  gelu: unary(gelu, (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))),
  scale: (draw) => {
    const factor = draw.pick(-1, 0.5, -2.5, 0);
    return {
      operands: [draw.floats(draw.shape())],
      trace: (x) => scale(x, factor),
      reference: (x) => map(x!, (v) => v * factor),
    };
  },
  shift: (draw) => {
    const term = draw.pick(-1, 0.5, 3);
    return {
      operands: [draw.floats(draw.shape())],
      trace: (x) => shift(x, term),
      reference: (x) => map(x!, (v) => v + term),
    };
  },
  reshape: (draw) => {
    const shape = [...draw.shape(), 1];
    const target = draw.pick([shape.reduce((a, b) => a * b, 1)], [1, ...shape], [...shape].reverse());
    return {
      operands: [draw.floats(shape)],
      trace: (x) => reshape(x, target),
      reference: (x) => ({ shape: target, data: x!.data }),
    };
  },
  transpose: (draw) => {
    const shape = draw.shape(4);
    const permutation = draw.permutation(shape.length);
    return {
      operands: [draw.floats(shape)],
      trace: (x) => transpose(x, permutation),
      reference: (x) => transposed(x!, permutation),
    };
  },
  broadcastTo: (draw) => {
    const shape = draw.shape();
    return {
      operands: [draw.floats(draw.broadcastable(shape))],
      trace: (x) => broadcastTo(x, shape),
      reference: (x) => fill(shape, (index) => at(x!, index)),
    };
  },
  split: (draw) => {
    const before = draw.shape(2);
    const sizes = Array.from({ length: draw.size(12) }, () => draw.size(2));
    const shape = [...before, sizes.reduce((a, b) => a + b, 0), ...draw.shape(1)];
    const axis = before.length;
    const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0));
    return {
      operands: [draw.floats(shape)],
      trace: (x) => split(x, axis, sizes),
      reference: (x) =>
        sizes.map((size, i) =>
          fill(shape.with(axis, size), (index) => at(x!, index.with(axis, index[axis]! + starts[i]!))),
        ),
    };
  },
  tail: (draw) => {
    const shape = draw.shape(3, 1);
    const count = draw.size(shape[0]!);
    // A count of none is one of all.
    const told = count === shape[0]! && draw.bool() ? 0 : count;
    return {
      operands: [draw.floats(shape), { shape: [], data: Float64Array.of(told), dtype: 'int64' }],
      trace: (x, last) => tail(x!, last!, count),
      reference: (x) => fill(shape.with(0, count), ([i, ...index]) => at(x!, [shape[0]! - count + i!, ...index])),
    };
  },
  concat: (draw) => {
    const before = draw.shape(2);
    const after = draw.shape(1);
    const axis = before.length;
    const operands = Array.from({ length: draw.size(12) }, () => draw.floats([...before, draw.size(2), ...after]));
    return { operands, trace: (...parts) => concat(parts, axis), reference: (...parts) => joined(parts, axis) };
  },
  stopGradient: unary(stopGradient, (x) => x),
  reduceSum: reducing(reduceSum, (total, value) => total + value, 0),
  reduceMean: (draw) => {
    const { operands, reference, ...sum } = reducing(reduceMean, (total, value) => total + value, 0)(draw);
    const mean = (x: Values) => {
      const total = reference(x) as Values;
      return map(total, (v) => (v * total.data.length) / x.data.length);
    };
    return { ...sum, operands, reference: (x) => mean(x!) };
  },
  reduceSumSquare: reducing(reduceSumSquare, (total, value) => total + value * value, 0),
  reduceMax: reducing(reduceMax, Math.max, Number.NEGATIVE_INFINITY),
  softmax: (draw) => ({
    operands: [draw.floats(draw.shape(3, 1))],
    trace: softmax,
    reference: (x) => rows(x!, softmaxRow),
  }),
  ...modelCases,
  ...exchangeCases,
  ...int8Cases,
};

function joined(parts: readonly Values[], axis: number): Values {
  const owners = parts.flatMap((part) => Array.from({ length: part.shape[axis]! }, (_, i) => ({ part, i })));
  return fill(parts[0]!.shape.with(axis, owners.length), (index) => {
    const { part, i } = owners[index[axis]!]!;
    return part.data[part.shape.reduce((offset, size, a) => offset * size + (a === axis ? i : index[a]!), 0)]!;
  });
}

/** Operators with no gradient, each with its reason. */
export const notDifferentiable: Record<string, string> = {
  input: 'it has no operands',
  constant: 'it has no operands',
  counting: 'it has no operands',
  tail: 'it cuts what is given out, where nothing is learned',
  stopGradient: 'to let no gradient pass is what it is for',
  reduceMax: 'it only shifts exponents, where its gradient cancels',
  abs: 'it measures what is quantised, after the gradients',
  minimum: 'it sorts what is merged, after the gradients',
  maximum: 'it sorts what is merged, after the gradients',
  roundBfloat16: 'it rounds scales, after the gradients',
  quantize: 'its values are integers',
  dropoutFactors: 'its operands are random numbers',
  dequantize: 'its values stand for others',
  dequantizeBlocks: 'what is kept in few bits stays as it is',
  narrowBfloat16: 'it rounds',
  narrowBlocks: 'it rounds',
  widenBlocks: 'what is kept in few bits stays as it is',
  widenBfloat16: 'what is kept in few bits stays as it is',
  ...int8NotDifferentiable,
};

/** A graph input for an operand. */
export const inputFor = (i: number, { shape, dtype }: { shape: Shape; dtype: DType }): Tensor =>
  input(`operand${i}`, shape, dtype);
