import { apply1, type Lowering, type Operator, type Shape, sizeOf, type Tensor } from '../tensor.js';
import { mul, scale, sub } from './elementwise.js';
import { float32, int64s, resolveAxis } from './rules.js';
import { broadcastTo, reshape } from './shaping.js';

function reducedShape(x: Tensor, axes: readonly number[], keep: boolean): Shape {
  return x.shape.flatMap((size, axis) => (axes.includes(axis) ? (keep ? [1] : []) : [size]));
}

const reduce =
  (type: string): Lowering =>
  (e, node, [x]) => {
    const { axes, keep } = node.attributes as { axes: readonly number[]; keep: boolean };
    return e.emit(type, [x!, e.constant(int64s(axes), [axes.length])], { keepdims: keep ? 1 : 0 });
  };

const infer: Operator['infer'] = ([x], attributes) => {
  const { axes, keep } = attributes as { axes: readonly number[]; keep: boolean };
  return [{ shape: reducedShape(float32('reduce', x!), axes, keep), dtype: 'float32' }];
};

export const reduction = {
  reduceSum: {
    name: 'reduceSum',
    infer,
    gradient: (node, [g]) => {
      const x = node.inputs[0]!;
      return [broadcastTo(reshape(g!, reducedShape(x, node.attributes.axes as number[], true)), x.shape)];
    },
    lower: { onnx: reduce('ReduceSum') },
  },
  reduceMean: {
    name: 'reduceMean',
    infer,
    gradient: (node, [g]) => {
      const x = node.inputs[0]!;
      const spread = reshape(g!, reducedShape(x, node.attributes.axes as number[], true));
      return [broadcastTo(scale(spread, sizeOf(g!.shape) / sizeOf(x.shape)), x.shape)];
    },
    lower: { onnx: reduce('ReduceMean') },
  },
  reduceSumSquare: {
    name: 'reduceSumSquare',
    infer,
    gradient: (node, [g]) => {
      const x = node.inputs[0]!;
      return [scale(mul(x, reshape(g!, reducedShape(x, node.attributes.axes as number[], true))), 2)];
    },
    lower: { onnx: reduce('ReduceSumSquare') },
  },
  /** Its gradient is not needed: it only shifts exponents, where it cancels. Used through `stopGradient`. */
  reduceMax: { name: 'reduceMax', infer, lower: { onnx: reduce('ReduceMax') } },
  softmax: {
    name: 'softmax',
    infer: ([x]) => [{ shape: float32('softmax', x!).shape, dtype: 'float32' }],
    gradient: (node, [g]) => {
      const y = node.outputs[0]!;
      return [mul(y, sub(g!, reduceSum(mul(g!, y), [-1], true)))];
    },
    lower: { onnx: (e, _node, [x]) => e.emit('Softmax', [x!], { axis: -1 }) },
  },
} satisfies Record<string, Operator>;

/** Sums over axes; `keep` leaves them with size 1. With no axes it is `x`: ONNX would take that as all of them. */
export function reduceSum(x: Tensor, axes: readonly number[], keep = false): Tensor {
  if (axes.length === 0) return x;
  return apply1(reduction.reduceSum, [x], { axes: axes.map((axis) => resolveAxis('reduceSum', x, axis)), keep });
}

/** Sums of squares over axes. */
export function reduceSumSquare(x: Tensor, axes: readonly number[], keep = false): Tensor {
  if (axes.length === 0) return mul(x, x);
  const resolved = axes.map((axis) => resolveAxis('reduceSumSquare', x, axis));
  return apply1(reduction.reduceSumSquare, [x], { axes: resolved, keep });
}

/** The mean over axes. */
export function reduceMean(x: Tensor, axes: readonly number[], keep = false): Tensor {
  if (axes.length === 0) return x;
  return apply1(reduction.reduceMean, [x], { axes: axes.map((axis) => resolveAxis('reduceMean', x, axis)), keep });
}

/** The largest element over axes. Not differentiable. */
export function reduceMax(x: Tensor, axes: readonly number[], keep = false): Tensor {
  if (axes.length === 0) return x;
  return apply1(reduction.reduceMax, [x], { axes: axes.map((axis) => resolveAxis('reduceMax', x, axis)), keep });
}

/** exp(x) normalised to a sum of 1 along the last axis. */
export const softmax = (x: Tensor): Tensor => apply1(reduction.softmax, [x]);
