import { apply, apply1, formatShape, type Operator, type Shape, sizeOf, type Tensor } from '../tensor.js';
import { unbroadcast } from './elementwise.js';
import { int64s, resolveAxis } from './rules.js';

export const shaping = {
  reshape: {
    name: 'reshape',
    infer: ([x], { shape }) => {
      if (sizeOf(x!.shape) !== sizeOf(shape as Shape)) {
        throw new Error(
          `reshape: ${formatShape(x!.shape)} does not hold as many elements as ${formatShape(shape as Shape)}`,
        );
      }
      return [{ shape: shape as Shape, dtype: x!.dtype }];
    },
    gradient: (node, [g]) => [reshape(g!, node.inputs[0]!.shape)],
    lower: {
      onnx: (e, node, [x]) => {
        const shape = node.attributes.shape as Shape;
        return e.emit('Reshape', [x!, e.constant(int64s(shape), [shape.length])]);
      },
    },
  },
  transpose: {
    name: 'transpose',
    infer: ([x], { permutation }) => {
      const p = permutation as readonly number[];
      if ([...p].sort((a, b) => a - b).some((axis, i) => axis !== i) || p.length !== x!.shape.length) {
        throw new Error(`transpose: [${p}] is no permutation of the axes of ${formatShape(x!.shape)}`);
      }
      return [{ shape: p.map((axis) => x!.shape[axis]!), dtype: x!.dtype }];
    },
    gradient: (node, [g]) => {
      const p = node.attributes.permutation as readonly number[];
      return [
        transpose(
          g!,
          p.map((_, axis) => p.indexOf(axis)),
        ),
      ];
    },
    lower: { onnx: (e, node, [x]) => e.emit('Transpose', [x!], { perm: node.attributes.permutation as number[] }) },
  },
  broadcastTo: {
    name: 'broadcastTo',
    infer: ([x], attributes) => {
      const shape = attributes.shape as Shape;
      const lead = shape.length - x!.shape.length;
      if (lead < 0 || x!.shape.some((size, axis) => size !== 1 && size !== shape[lead + axis])) {
        throw new Error(`broadcastTo: ${formatShape(x!.shape)} does not broadcast to ${formatShape(shape)}`);
      }
      return [{ shape, dtype: x!.dtype }];
    },
    gradient: (node, [g]) => [unbroadcast(g!, node.inputs[0]!.shape)],
    lower: {
      onnx: (e, node, [x]) => {
        const shape = node.attributes.shape as Shape;
        return e.emit('Expand', [x!, e.constant(int64s(shape), [shape.length])]);
      },
    },
  },
  split: {
    name: 'split',
    infer: ([x], attributes) => {
      const { axis, sizes } = attributes as { axis: number; sizes: readonly number[] };
      if (sizes.reduce((a, b) => a + b, 0) !== x!.shape[axis]) {
        throw new Error(`split: sizes [${sizes}] do not add up to axis ${axis} of ${formatShape(x!.shape)}`);
      }
      return sizes.map((size) => ({ shape: x!.shape.with(axis, size), dtype: x!.dtype }));
    },
    gradient: (node, gradients) => {
      const parts = gradients.map((g, i) => g ?? zeros(node.outputs[i]!.shape));
      return [concat(parts, node.attributes.axis as number)];
    },
    lower: {
      onnx: (e, node, [x]) => {
        const { axis, sizes } = node.attributes as { axis: number; sizes: readonly number[] };
        const options = { outputs: sizes.length };
        return e.emit('Split', [x!, e.constant(int64s(sizes), [sizes.length])], { axis }, options);
      },
      // A shader may bind 10 storage buffers: a Split into more than 9 parts fails, a Slice each does not.
      webgpu: (e, node, [x]) => {
        const { axis, sizes } = node.attributes as { axis: number; sizes: readonly number[] };
        let start = 0;
        return sizes.flatMap((size) => {
          const bounds = [start, (start += size), axis].map((value) => e.constant(int64s([value]), [1]));
          return e.emit('Slice', [x!, ...bounds]);
        });
      },
    },
  },
  concat: {
    name: 'concat',
    infer: (inputs, attributes) => {
      const axis = attributes.axis as number;
      const first = inputs[0]!;
      for (const { shape } of inputs) {
        if (formatShape(shape.with(axis, 0)) !== formatShape(first.shape.with(axis, 0))) {
          throw new Error(`concat: ${formatShape(shape)} and ${formatShape(first.shape)} differ beside axis ${axis}`);
        }
      }
      const size = inputs.reduce((sum, { shape }) => sum + shape[axis]!, 0);
      return [{ shape: first.shape.with(axis, size), dtype: first.dtype }];
    },
    gradient: (node, [g]) => {
      const axis = node.attributes.axis as number;
      return [
        ...split(
          g!,
          axis,
          node.inputs.map(({ shape }) => shape[axis]!),
        ),
      ];
    },
    lower: {
      onnx: (e, node, inputs) => e.emit('Concat', inputs, { axis: node.attributes.axis as number }),
      // The same limit of storage buffers: join in groups of 7.
      webgpu: (e, node, inputs) => {
        const axis = node.attributes.axis as number;
        let parts = [...inputs];
        while (parts.length > 1) {
          const next: string[] = [];
          for (let i = 0; i < parts.length; i += 7) next.push(e.emit('Concat', parts.slice(i, i + 7), { axis })[0]!);
          parts = next;
        }
        return parts;
      },
    },
  },
  tail: {
    name: 'tail',
    infer: ([x, count], { size }) => {
      if (count!.dtype !== 'int64' || count!.shape.length !== 0) {
        throw new Error(`tail: expected a count int64 of no axes, got ${count!.dtype} ${formatShape(count!.shape)}`);
      }
      return [{ shape: x!.shape.with(0, size as number), dtype: x!.dtype }];
    },
    lower: {
      // A start of −0 is the first row.
      onnx: (e, _node, [x, count]) => {
        const [start] = e.emit('Neg', e.emit('Reshape', [count!, e.constant(int64s([1]), [1])]));
        const end = e.constant(BigInt64Array.of(2n ** 63n - 1n), [1]);
        return e.emit('Slice', [x!, start!, end, e.constant(int64s([0]), [1])]);
      },
    },
  },
  /** Passes its operand on and lets no gradient back. Leaves no node in the ONNX graph. */
  stopGradient: {
    name: 'stopGradient',
    infer: ([x]) => [x!],
    gradient: () => [undefined],
    decompose: (node) => [node.inputs[0]!],
  },
} satisfies Record<string, Operator>;

/** The same elements in another shape. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  return formatShape(x.shape) === formatShape(shape) ? x : apply1(shaping.reshape, [x], { shape });
}

/** Axis i of the result is axis `permutation[i]` of `x`. */
export const transpose = (x: Tensor, permutation: readonly number[]): Tensor =>
  apply1(shaping.transpose, [x], { permutation });

/** Repeats axes of size 1 (and new leading axes) up to `shape`. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  return formatShape(x.shape) === formatShape(shape) ? x : apply1(shaping.broadcastTo, [x], { shape });
}

/** Cuts along an axis into parts of the given sizes. */
export function split(x: Tensor, axis: number, sizes: readonly number[]): readonly Tensor[] {
  return sizes.length === 1 ? [x] : apply(shaping.split, [x], { axis: resolveAxis('split', x, axis), sizes });
}

/** Joins along an axis. */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const first = parts[0]!;
  return parts.length === 1 ? first : apply1(shaping.concat, parts, { axis: resolveAxis('concat', first, axis) });
}

/**
 * The last rows of x [N, ...], as many as is told at a run; of a count of 0 all. It has no gradient.
 *
 * @param count int64, of no axes
 * @param size the rows that come of it
 */
export const tail = (x: Tensor, count: Tensor, size: number): Tensor => apply1(shaping.tail, [x, count], { size });

/** The same value, taken as a constant by differentiation. */
export const stopGradient = (x: Tensor): Tensor => apply1(shaping.stopGradient, [x]);

function zeros(shape: Shape): Tensor {
  return broadcastTo(constant(new Float32Array(1), []), shape);
}

import { constant } from './source.js';
