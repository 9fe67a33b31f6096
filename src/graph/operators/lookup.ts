import { apply1, formatShape, type Lowering, type Operator, sizeOf, type Tensor } from '../tensor.js';
import { float32, int64s, ONNX_TYPE } from './rules.js';
import { broadcastTo, reshape } from './shaping.js';
import { scalar } from './source.js';

function expectIds(operator: string, ids: Tensor): void {
  if (ids.dtype !== 'int64' || ids.shape.length !== 1) {
    throw new Error(`${operator}: ids must be int64 of one axis, got ${ids.dtype} ${formatShape(ids.shape)}`);
  }
}

/**
 * Updates that ONNX Runtime's ScatterND adds in one thread. It shares larger ones out between threads and then adds to
 * one place from two of them at once, so that sums get lost (its issue 18048); a test watches that these are not.
 */
const UNSHARED = 2 ** 17;

/** How many elements are copied in the time in which ScatterElements adds one (measured: 4.5 ns and 0.27). */
const COPIED = 17;

const scatterRows: Lowering = (e, node, [base, ids, updates]) => {
  const [count, ...row] = node.inputs[2]!.shape as [number, ...number[]];
  const [index] = e.emit('Reshape', [ids!, e.constant(int64s([count, 1]), [2])]);
  const step = Math.max(1, Math.floor(UNSHARED / sizeOf(row)));
  // Each part copies the whole table, ScatterElements none that nobody else reads, and it works in one thread.
  if (e.target === 'cpu' && Math.ceil(count / step) * node.inputs[0]!.shape[0]! > COPIED * count && row.length === 1) {
    const [all] = e.emit('Expand', [index!, e.constant(int64s([count, ...row]), [2])]);
    return e.emit('ScatterElements', [base!, all!, updates!], { axis: 0, reduction: 'add' });
  }
  const part = (x: string, start: number): string => {
    if (step >= count) return x;
    const bounds = [start, Math.min(count, start + step), 0].map((value) => e.constant(int64s([value]), [1]));
    return e.emit('Slice', [x, ...bounds])[0]!;
  };
  let sum = base!;
  for (let start = 0; start < count; start += step) {
    const operands = [sum, part(index!, start), part(updates!, start)];
    sum = e.emit('ScatterND', operands, { reduction: 'add' })[0]!;
  }
  return [sum];
};

/** Updates of one product in {@link sumRows}: the square of this many numbers is what it takes of memory. */
const SUMMED = 2048;

/**
 * For devices whose ScatterND adds in whatever order its threads come, so that the same sum has other bits each time:
 * updates of one row are summed by a product with the matrix of which ids are equal, and each row that is named twice is
 * then written twice with the same bits.
 */
const sumRows: Lowering = (e, node, [base, ids, updates]) => {
  const [table, , { shape }] = node.inputs as [Tensor, Tensor, Tensor];
  const [count, ...row] = shape as [number, ...number[]];
  const width = sizeOf(row);
  const one = (type: string, inputs: readonly string[], attributes = {}) => e.emit(type, inputs, attributes)[0]!;
  const shaped = (x: string, sizes: readonly number[]) =>
    one('Reshape', [x, e.constant(int64s(sizes), [sizes.length])]);
  // As float32, which is exact up to 2²⁴: devices compare no int64.
  const numbers = e.constant(
    Float32Array.from({ length: table.shape[0]! }, (_, i) => i),
    [table.shape[0]!],
  );
  let sum = base!;
  for (let start = 0; start < count; start += SUMMED) {
    const end = Math.min(count, start + SUMMED);
    const size = end - start;
    const part = (x: string) => {
      if (size === count) return x;
      const bounds = [start, end, 0].map((value) => e.constant(int64s([value]), [1]));
      return one('Slice', [x, ...bounds]);
    };
    const some = part(ids!);
    const named = one('Gather', [numbers, some], { axis: 0 });
    const equal = one('Equal', [shaped(named, [size, 1]), shaped(named, [1, size])]);
    const sums = one('MatMul', [one('Cast', [equal], { to: ONNX_TYPE.FLOAT }), shaped(part(updates!), [size, width])]);
    const before = one('Gather', [sum, some], { axis: 0 });
    const after = one('Add', [before, shaped(sums, [size, ...row])]);
    sum = one('ScatterND', [sum, shaped(some, [size, 1]), after]);
  }
  return [sum];
};

export const lookup = {
  gather: {
    name: 'gather',
    infer: ([table, ids]) => {
      expectIds('gather', ids!);
      return [{ shape: [ids!.shape[0]!, ...table!.shape.slice(1)], dtype: table!.dtype }];
    },
    gradient: (node, [g]) => {
      const [table, ids] = node.inputs as [Tensor, Tensor];
      return [scatterAdd(broadcastTo(scalar(0), table.shape), ids, g!), undefined];
    },
    lower: { onnx: (e, _node, inputs) => e.emit('Gather', inputs, { axis: 0 }) },
  },
  scatterAdd: {
    name: 'scatterAdd',
    infer: ([base, ids, updates]) => {
      expectIds('scatterAdd', ids!);
      const expected = [ids!.shape[0]!, ...float32('scatterAdd', base!).shape.slice(1)];
      if (formatShape(updates!.shape) !== formatShape(expected)) {
        throw new Error(`scatterAdd: updates must be ${formatShape(expected)}, got ${formatShape(updates!.shape)}`);
      }
      return [{ shape: base!.shape, dtype: 'float32' }];
    },
    gradient: (node, [g]) => [g, undefined, gather(g!, node.inputs[1]!)],
    // Measured on the CPU for small tables: 1.6 to 12 times as fast as ScatterElements, 22 times as a product with
    // one-hot rows. For GPT-2's table and 1,024 rows ScatterElements takes 4 ms, six parts 54.
    lower: { onnx: scatterRows, webgpu: sumRows, cuda: sumRows },
  },
  pick: {
    name: 'pick',
    infer: ([x, ids]) => {
      expectIds('pick', ids!);
      if (x!.shape.length !== 2 || x!.shape[0] !== ids!.shape[0]) {
        throw new Error(`pick: ${formatShape(ids!.shape)} ids do not fit rows of ${formatShape(x!.shape)}`);
      }
      return [{ shape: ids!.shape, dtype: 'float32' }];
    },
    gradient: (node, [g]) => {
      const [x, ids] = node.inputs as [Tensor, Tensor];
      return [place(broadcastTo(scalar(0), x.shape), ids, g!), undefined];
    },
    lower: {
      onnx: (e, node, [x, ids]) => {
        const rows = node.inputs[0]!.shape[0]!;
        const [column] = e.emit('Reshape', [ids!, e.constant(int64s([rows, 1]), [2])]);
        const [values] = e.emit('GatherElements', [x!, column!], { axis: 1 });
        return e.emit('Reshape', [values!, e.constant(int64s([rows]), [1])]);
      },
    },
  },
  place: {
    name: 'place',
    infer: ([base, ids, updates]) => {
      expectIds('place', ids!);
      const [rows] = float32('place', base!).shape;
      const fits = [ids!, updates!].every(({ shape }) => shape.length === 1 && shape[0] === rows);
      if (base!.shape.length !== 2 || !fits) {
        throw new Error(
          `place: expected [N, V], [N] ids and [N] updates, got ` +
            `${[base, ids, updates].map((x) => formatShape(x!.shape)).join(', ')}`,
        );
      }
      return [{ shape: base!.shape, dtype: 'float32' }];
    },
    gradient: (node, [g]) => [g, undefined, pick(g!, node.inputs[1]!)],
    lower: {
      // Writes into the base itself where nobody else reads it, as ScatterND never does.
      cpu: (e, node, [base, ids, updates]) => {
        const shape = e.constant(int64s([node.inputs[0]!.shape[0]!, 1]), [2]);
        const [column, values] = [ids!, updates!].map((x) => e.emit('Reshape', [x, shape])[0]!);
        return e.emit('ScatterElements', [base!, column!, values!], { axis: 1, reduction: 'add' });
      },
      onnx: (e, node, [base, ids, updates]) => {
        const rows = node.inputs[0]!.shape[0]!;
        const [column] = e.emit('Reshape', [ids!, e.constant(int64s([rows, 1]), [2])]);
        const row = e.constant(int64s(Array.from({ length: rows }, (_, i) => i)), [rows, 1]);
        const [index] = e.emit('Concat', [row, column!], { axis: 1 });
        return e.emit('ScatterND', [base!, index!, updates!], { reduction: 'add' });
      },
    },
  },
} satisfies Record<string, Operator>;

/** Rows of a table by number: table [V, ...], ids [N] gives [N, ...]. */
export const gather = (table: Tensor, ids: Tensor): Tensor => apply1(lookup.gather, [table, ids]);

/** base with `updates` [N, ...] added to its rows `ids` [N]; a row named twice receives both. */
export const scatterAdd = (base: Tensor, ids: Tensor, updates: Tensor): Tensor =>
  apply1(lookup.scatterAdd, [base, ids, updates]);

/** One element a row: x [N, V], ids [N] gives x[i, ids[i]], [N]. */
export const pick = (x: Tensor, ids: Tensor): Tensor => apply1(lookup.pick, [x, ids]);

/** base [N, V] with updates [N] added, one a row, in column ids[i]. */
export const place = (base: Tensor, ids: Tensor, updates: Tensor): Tensor => apply1(lookup.place, [base, ids, updates]);

/** A vector [N] as a column [N, 1]. */
export const column = (x: Tensor): Tensor => reshape(x, [x.shape[0]!, 1]);
