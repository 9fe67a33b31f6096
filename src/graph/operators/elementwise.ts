import { apply1, type Operator, type Shape, type Tensor } from '../tensor.js';
import { reduceSum } from './reduction.js';
import { broadcastShapes, float32, onnx } from './rules.js';
import { reshape } from './shaping.js';

/** Sums a gradient over the axes along which `shape` was broadcast. */
export function unbroadcast(gradient: Tensor, shape: Shape): Tensor {
  const lead = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((size, axis) => (axis < lead || shape[axis - lead] !== size ? [axis] : []));
  const sum = axes.length > 0 ? reduceSum(gradient, axes, true) : gradient;
  return lead > 0 ? reshape(sum, shape) : sum;
}

function binary(
  name: string,
  type: string,
  gradient: (g: Tensor, a: Tensor, b: Tensor, y: Tensor) => [Tensor, Tensor],
): Operator {
  return {
    name,
    infer: ([a, b]) => [{ shape: broadcastShapes(name, a!, b!), dtype: 'float32' }],
    gradient: (node, [g]) => {
      const [a, b] = node.inputs as [Tensor, Tensor];
      const [da, db] = gradient(g!, a, b, node.outputs[0]!);
      return [unbroadcast(da, a.shape), unbroadcast(db, b.shape)];
    },
    lower: onnx(type),
  };
}

function unary(name: string, type: string, gradient: (g: Tensor, x: Tensor, y: Tensor) => Tensor): Operator {
  return {
    name,
    infer: ([x]) => [{ shape: float32(name, x!).shape, dtype: 'float32' }],
    gradient: (node, [g]) => [gradient(g!, node.inputs[0]!, node.outputs[0]!)],
    lower: onnx(type),
  };
}

export const elementwise = {
  add: binary('add', 'Add', (g) => [g, g]),
  sub: binary('sub', 'Sub', (g) => [g, scale(g, -1)]),
  mul: binary('mul', 'Mul', (g, a, b) => [mul(g, b), mul(g, a)]),
  div: binary('div', 'Div', (g, _a, b, y) => {
    const da = div(g, b);
    return [da, scale(mul(da, y), -1)];
  }),
  exp: unary('exp', 'Exp', (g, _x, y) => mul(g, y)),
  log: unary('log', 'Log', (g, x) => div(g, x)),
  sqrt: unary('sqrt', 'Sqrt', (g, _x, y) => scale(div(g, y), 0.5)),
  tanh: unary('tanh', 'Tanh', (g, _x, y) => sub(g, mul(g, mul(y, y)))),
  sigmoid: unary('sigmoid', 'Sigmoid', (g, _x, y) => mul(g, sub(y, mul(y, y)))),
  erf: unary('erf', 'Erf', (g, x) => scale(mul(g, exp(scale(mul(x, x), -1))), 2 / Math.sqrt(Math.PI))),
  scale: {
    name: 'scale',
    infer: ([x]) => [{ shape: float32('scale', x!).shape, dtype: 'float32' }],
    gradient: (node, [g]) => [scale(g!, node.attributes.factor as number)],
    lower: {
      onnx: (e, node, [x]) => {
        const factor = node.attributes.factor as number;
        if (factor === -1) return e.emit('Neg', [x!]);
        return e.emit('Mul', [x!, e.constant(Float32Array.of(factor), [])]);
      },
    },
  },
  shift: {
    name: 'shift',
    infer: ([x]) => [{ shape: float32('shift', x!).shape, dtype: 'float32' }],
    gradient: (_node, [g]) => [g],
    lower: {
      onnx: (e, node, [x]) => e.emit('Add', [x!, e.constant(Float32Array.of(node.attributes.term as number), [])]),
    },
  },
} satisfies Record<string, Operator>;

/** a + b, broadcast as NumPy does. */
export const add = (a: Tensor, b: Tensor): Tensor => apply1(elementwise.add, [a, b]);
/** a − b, broadcast. */
export const sub = (a: Tensor, b: Tensor): Tensor => apply1(elementwise.sub, [a, b]);
/** a ∘ b, broadcast. */
export const mul = (a: Tensor, b: Tensor): Tensor => apply1(elementwise.mul, [a, b]);
/** a / b, broadcast. */
export const div = (a: Tensor, b: Tensor): Tensor => apply1(elementwise.div, [a, b]);
export const exp = (x: Tensor): Tensor => apply1(elementwise.exp, [x]);
/** The natural logarithm. */
export const log = (x: Tensor): Tensor => apply1(elementwise.log, [x]);
export const sqrt = (x: Tensor): Tensor => apply1(elementwise.sqrt, [x]);
export const tanh = (x: Tensor): Tensor => apply1(elementwise.tanh, [x]);
/** 1 / (1 + exp(−x)). */
export const sigmoid = (x: Tensor): Tensor => apply1(elementwise.sigmoid, [x]);
/** The error function, 2/√π ∫₀ˣ exp(−t²) dt. */
export const erf = (x: Tensor): Tensor => apply1(elementwise.erf, [x]);
/** x times a number known now; products of scales are folded, into matrix products too (see `simplify.ts`). */
export const scale = (x: Tensor, factor: number): Tensor =>
  factor === 1 ? x : apply1(elementwise.scale, [x], { factor });
/** x plus a number known now. */
export const shift = (x: Tensor, term: number): Tensor => (term === 0 ? x : apply1(elementwise.shift, [x], { term }));

/** Sums a list in order; at least one. */
export function addAll(terms: readonly Tensor[]): Tensor {
  if (terms.length === 0) throw new Error('addAll needs at least one tensor');
  return terms.reduce(add);
}
