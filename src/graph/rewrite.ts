import { add, elementwise, mul, scale, sub } from './operators/elementwise.js';
import { lookup, scatterAdd } from './operators/lookup.js';
import { type GemmOptions, gemm, gemmOptions, matmul, matmulOptions, product } from './operators/product.js';
import { reduceSum, reduction } from './operators/reduction.js';
import { concat, reshape, shaping, transpose } from './operators/shaping.js';
import { source } from './operators/source.js';
import { formatShape, type Node, type Operator, sizeOf, type Tensor } from './tensor.js';

/** Says whether a tensor has exactly one user, so that a rewritten copy leaves no work behind. */
type SingleUse = (tensor: Tensor) => boolean;

const is = (tensor: Tensor, operator: Operator): boolean => tensor.node.operator === operator;

/** x and c where the tensor is scale(x, c), else itself and 1. */
function factored(tensor: Tensor): [Tensor, number] {
  return is(tensor, elementwise.scale)
    ? [tensor.node.inputs[0]!, tensor.node.attributes.factor as number]
    : [tensor, 1];
}

/** The number that a tensor holds everywhere, when that is known. */
function uniform(tensor: Tensor): number | undefined {
  if (is(tensor, shaping.broadcastTo) || is(tensor, shaping.reshape)) return uniform(tensor.node.inputs[0]!);
  if (is(tensor, elementwise.scale)) {
    const value = uniform(tensor.node.inputs[0]!);
    return value === undefined ? undefined : value * (tensor.node.attributes.factor as number);
  }
  if (!is(tensor, source.constant) || tensor.dtype !== 'float32') return undefined;
  const data = tensor.node.attributes.data as Float32Array;
  return data.length === 1 ? data[0] : undefined;
}

/**
 * A factor inside a product is free, but for a single row: ONNX Runtime's matrix-vector kernel takes an `alpha` of 1
 * only, and the general one packs the whole matrix first (measured on GPT-2's hidden layer: 7 instead of 17 GB/s).
 */
const takesFactor = (y: Tensor): boolean => y.shape.at(-2) !== 1;

type Rule = (node: Node, single: SingleUse) => Tensor | undefined;

const rules = new Map<Operator, Rule>([
  [
    elementwise.mul,
    (node, single) => {
      const [a, b] = node.inputs as [Tensor, Tensor];
      const y = node.outputs[0]!;
      for (const [x, other] of [
        [a, b],
        [b, a],
      ] as const) {
        const value = uniform(other);
        if (value !== undefined && sizeOf(x.shape) === sizeOf(y.shape)) return scale(reshape(x, y.shape), value);
        const [inner, factor] = factored(x);
        if (factor !== 1 && single(x) && sizeOf(x.shape) === sizeOf(y.shape)) return scale(mul(inner, other), factor);
      }
      return undefined;
    },
  ],
  [
    elementwise.scale,
    (node, single) => {
      const [x, factor] = factored(node.outputs[0]!);
      const [inner, more] = factored(x);
      if (more !== 1) return scale(inner, factor * more);
      return absorb(x, factor, single);
    },
  ],
  [
    elementwise.add,
    (node, single) => {
      const [a, b] = node.inputs as [Tensor, Tensor];
      for (const [x, y] of [
        [a, b],
        [b, a],
      ] as const) {
        const [inner, factor] = factored(y);
        if (factor === -1) return sub(x, inner);
        if (is(x, shaping.transpose) && is(y, shaping.transpose) && single(x) && single(y)) {
          const [p, q] = [x, y].map((one) => one.node.attributes.permutation as number[]);
          if (formatShape(p!) === formatShape(q!)) return transpose(add(x.node.inputs[0]!, y.node.inputs[0]!), p!);
        }
        const scattered = is(y, lookup.scatterAdd) && single(y) && uniform(y.node.inputs[0]!) === 0;
        if (scattered && formatShape(x.shape) === formatShape(y.shape)) {
          return scatterAdd(x, y.node.inputs[1]!, y.node.inputs[2]!);
        }
      }
      return undefined;
    },
  ],
  [
    product.gemm,
    (node) => {
      const [a, fa] = factored(node.inputs[0]!);
      const [b, fb] = factored(node.inputs[1]!);
      const options = gemmOptions(node);
      return (fa * fb === 1 && a === node.inputs[0]) || !takesFactor(node.outputs[0]!)
        ? undefined
        : gemm(a, b, node.inputs[2], { ...options, alpha: options.alpha * fa * fb });
    },
  ],
  [
    product.matmul,
    (node) => {
      const [a, fa] = factored(node.inputs[0]!);
      const [b, fb] = factored(node.inputs[1]!);
      const options = matmulOptions(node);
      return (fa * fb === 1 && a === node.inputs[0]) || !takesFactor(node.outputs[0]!)
        ? undefined
        : matmul(a, b, { ...options, alpha: options.alpha * fa * fb });
    },
  ],
  [
    reduction.reduceSum,
    (node) => {
      const [x, factor] = factored(node.inputs[0]!);
      const { axes, keep } = node.attributes as { axes: number[]; keep: boolean };
      return factor === 1 ? undefined : scale(reduceSum(x, axes, keep), factor);
    },
  ],
  [
    shaping.reshape,
    (node, single) => {
      const [x, factor] = factored(node.inputs[0]!);
      const { shape } = node.outputs[0]!;
      if (factor !== 1 && single(node.inputs[0]!)) return scale(reshape(x, shape), factor);
      return is(x, shaping.reshape) ? reshape(x.node.inputs[0]!, shape) : undefined;
    },
  ],
  [
    shaping.transpose,
    (node, single) => {
      const [x, factor] = factored(node.inputs[0]!);
      if (factor === 1 || !single(node.inputs[0]!)) return undefined;
      return scale(transpose(x, node.attributes.permutation as number[]), factor);
    },
  ],
]);

/** scale(x, factor) without a pass over memory: inside the products that make x, where x has no other user. */
function absorb(x: Tensor, factor: number, single: SingleUse): Tensor | undefined {
  if (!single(x)) return undefined;
  const { inputs } = x.node;
  if (is(x, product.gemm) && takesFactor(x)) {
    const options: GemmOptions = gemmOptions(x.node);
    const { alpha = 1, beta = 1 } = options;
    return gemm(inputs[0]!, inputs[1]!, inputs[2], { ...options, alpha: alpha * factor, beta: beta * factor });
  }
  if (is(x, product.matmul) && takesFactor(x)) {
    const options = matmulOptions(x.node);
    return matmul(inputs[0]!, inputs[1]!, { ...options, alpha: options.alpha * factor });
  }
  if (is(x, shaping.concat) || is(x, elementwise.add)) {
    const parts = inputs.map((part) => absorb(part, factor, single));
    if (parts.some((part) => part === undefined)) return undefined;
    return is(x, shaping.concat)
      ? concat(parts as Tensor[], x.node.attributes.axis as number)
      : add(parts[0]!, parts[1]!);
  }
  return undefined;
}

/** A cheaper expression for the node's output, or undefined when no rule fits. */
export function rewrite(node: Node, single: SingleUse): Tensor | undefined {
  return rules.get(node.operator)?.(node, single);
}
