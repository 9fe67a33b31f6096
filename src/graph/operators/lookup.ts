import { apply1, formatShape, type Lowering, type Operator, type Tensor } from '../tensor.js';
import { float32, int64s } from './rules.js';
import { broadcastTo, reshape } from './shaping.js';
import { scalar } from './source.js';

function expectIds(operator: string, ids: Tensor): void {
  if (ids.dtype !== 'int64' || ids.shape.length !== 1) {
    throw new Error(`${operator}: ids must be int64 of one axis, got ${ids.dtype} ${formatShape(ids.shape)}`);
  }
}

const scatterRows: Lowering = (e, node, [base, ids, updates]) => {
  const count = node.inputs[1]!.shape[0]!;
  const [index] = e.emit('Reshape', [ids!, e.constant(int64s([count, 1]), [2])]);
  return e.emit('ScatterND', [base!, index!, updates!], { reduction: 'add' });
};

/**
 * ScatterND shares its rows out between threads and adds to one place from two of them at once: sums get lost.
 * ScatterElements adds in order, at twelve times the time of a small table's rows.
 */
const scatterElements: Lowering = (e, node, [base, ids, updates]) => {
  const { shape } = node.inputs[2]!;
  const rows = [shape[0]!, ...shape.slice(1).map(() => 1)];
  const [column] = e.emit('Reshape', [ids!, e.constant(int64s(rows), [rows.length])]);
  const [index] = e.emit('Expand', [column!, e.constant(int64s(shape), [shape.length])]);
  return e.emit('ScatterElements', [base!, index!, updates!], { axis: 0, reduction: 'add' });
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
    lower: {
      onnx: scatterElements,
      cpu: (e, node, inputs) => (e.threads === 1 ? scatterRows : scatterElements)(e, node, inputs),
      // Adds atomically there.
      webgpu: scatterRows,
    },
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
