import { apply1, formatShape, type Lowering, type Node, type Operator, type Shape, type Tensor } from '../tensor.js';
import { scale, unbroadcast } from './elementwise.js';
import { float32, sameReal } from './rules.js';
import { transpose } from './shaping.js';

/** Attributes of {@link gemm}: y = alpha · op(a) · op(b) + beta · c, op transposing on request. */
export interface GemmOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
  readonly beta?: number;
}

/** Attributes of {@link matmul}. */
export interface MatmulOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  /** The operand lies as [rows, ...batch, columns]; read in place where the target can, transposed before elsewhere. */
  readonly rowsFirstA?: boolean;
  readonly rowsFirstB?: boolean;
  readonly alpha?: number;
}

type Required4<T> = { readonly [K in keyof T]-?: T[K] };

const gemmDefaults: Required4<GemmOptions> = { transA: false, transB: false, alpha: 1, beta: 1 };
const matmulDefaults: Required4<MatmulOptions> = {
  transA: false,
  transB: false,
  rowsFirstA: false,
  rowsFirstB: false,
  alpha: 1,
};

export const gemmOptions = (node: { attributes: object }) => node.attributes as Required4<GemmOptions>;
export const matmulOptions = (node: { attributes: object }) => node.attributes as Required4<MatmulOptions>;

/** The permutation that moves the first axis before the last: [rows, ...batch, columns] to [...batch, rows, columns]. */
function rowsLast(rank: number): number[] {
  return [...Array.from({ length: rank - 2 }, (_, i) => i + 1), 0, rank - 1];
}

/** Undoes {@link rowsLast}. */
function rowsToFront(x: Tensor, rowsFirst: boolean): Tensor {
  if (!rowsFirst) return x;
  const rank = x.shape.length;
  return transpose(x, [rank - 2, ...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1]);
}

/** An operand's shape as [...batch, rows, columns] after its layout and transposition are undone. */
function canonical(shape: Shape, rowsFirst: boolean, trans: boolean): Shape {
  const s = rowsFirst ? rowsLast(shape.length).map((axis) => shape[axis]!) : [...shape];
  return trans ? [...s.slice(0, -2), s.at(-1)!, s.at(-2)!] : s;
}

/** Elements of a result from which on it does not stay in a processor's cache while a product adds to it. */
const UNCACHED = 2 ** 22;

/**
 * aᵀ b, as the gradient of every weight is, with its first operand transposed beforehand: ONNX Runtime's kernel else takes
 * it apart again for each 128 columns of b. Where a is the wider one its transpose costs too much: then bᵀ a is made and
 * transposed, which walks through large results in better order too (measured: 4 to 15 % of the product, of GPT-2's head
 * 30 %). Of narrow matrices the transposes are no smaller than the gain.
 */
function transposedBefore(node: Node): Tensor | undefined {
  const { transA, transB, alpha, beta } = gemmOptions(node);
  const [a, b, c] = node.inputs as [Tensor, Tensor, Tensor?];
  if (!transA || transB || a.dtype !== 'float32') return undefined;
  const [K, M] = a.shape as [number, number];
  const N = b.shape[1]!;
  const transposed = (x: Tensor) => transpose(x, [1, 0]);
  if (M <= N) return M * N >= 2 ** 17 ? gemm(transposed(a), b, c, { alpha, beta }) : undefined;
  const wins = (M >= 1024 && K >= 1024) || M * N >= UNCACHED;
  return wins && c === undefined ? transposed(gemm(transposed(b), a, undefined, { alpha })) : undefined;
}

const gemmOnnx: Lowering = (e, node, inputs) => {
  const { transA, transB, alpha, beta } = gemmOptions(node);
  return e.emit('Gemm', inputs, {
    transA: transA ? 1 : 0,
    transB: transB ? 1 : 0,
    alpha: { float: alpha },
    beta: { float: beta },
  });
};

/** With factors beside it: a product of constants alone, which can be packed into fewer bits or run as a plain one. */
const gemmPortable: Lowering = (e, node, [a, b, c]) => {
  const { transA, transB, alpha, beta } = gemmOptions(node);
  const scaled = (x: string, factor: number) =>
    factor === 1 ? x : e.emit('Mul', [x, e.constant(Float32Array.of(factor), [])])[0]!;
  const operands = [scaled(a!, alpha), b!, ...(c === undefined ? [] : [scaled(c, beta)])];
  return e.emit('Gemm', operands, { transA: transA ? 1 : 0, transB: transB ? 1 : 0 });
};

const matmulCpu: Lowering = (e, node, inputs) => {
  const o = matmulOptions(node);
  if (!o.transA && !o.transB && !o.rowsFirstA && !o.rowsFirstB && o.alpha === 1) return e.emit('MatMul', inputs);
  return e.emit(
    'FusedMatMul',
    inputs,
    {
      transA: o.transA ? 1 : 0,
      transB: o.transB ? 1 : 0,
      transBatchA: o.rowsFirstA ? 1 : 0,
      transBatchB: o.rowsFirstB ? 1 : 0,
      alpha: { float: o.alpha },
    },
    { domain: 'com.microsoft' },
  );
};

const matmulOnnx: Lowering = (e, node, inputs) => {
  const o = matmulOptions(node);
  const operand = (i: number, rowsFirst: boolean, trans: boolean): string => {
    const rank = node.inputs[i]!.shape.length;
    let p = Array.from({ length: rank }, (_, axis) => axis);
    if (rowsFirst) p = rowsLast(rank);
    if (trans) p = [...p.slice(0, -2), p.at(-1)!, p.at(-2)!];
    return rowsFirst || trans ? e.emit('Transpose', [inputs[i]!], { perm: p })[0]! : inputs[i]!;
  };
  const y = e.emit('MatMul', [operand(0, o.rowsFirstA, o.transA), operand(1, o.rowsFirstB, o.transB)]);
  return o.alpha === 1 ? y : e.emit('Mul', [y[0]!, e.constant(Float32Array.of(o.alpha), [])]);
};

export const product = {
  gemm: {
    name: 'gemm',
    infer: (inputs, attributes) => {
      const { transA, transB } = gemmOptions({ attributes });
      const [a, b, c] = sameReal('gemm', inputs);
      const [m, k] = canonical(a!.shape, false, transA);
      const [k2, n] = canonical(b!.shape, false, transB);
      const fits = a!.shape.length === 2 && b!.shape.length === 2 && k === k2;
      if (
        !fits ||
        (c && ![[m, n], [n], [1, n], [m, 1]].some((s) => formatShape(s as Shape) === formatShape(c.shape)))
      ) {
        throw new Error(`gemm: shapes ${inputs.map((x) => formatShape(x.shape)).join(', ')} do not fit together`);
      }
      return [{ shape: [m!, n!], dtype: a!.dtype }];
    },
    gradient: (node, [g]) => {
      const { transA, transB, alpha, beta } = gemmOptions(node);
      const [a, b, c] = node.inputs as [Tensor, Tensor, Tensor?];
      const da = transA
        ? gemm(b, g!, undefined, { transA: transB, transB: true, alpha })
        : gemm(g!, b, undefined, { transB: !transB, alpha });
      const db = transB
        ? gemm(g!, a, undefined, { transA: true, transB: transA, alpha })
        : gemm(a, g!, undefined, { transA: !transA, alpha });
      return c ? [da, db, unbroadcast(scale(g!, beta), c.shape)] : [da, db];
    },
    faster: { cpu: transposedBefore },
    lower: { onnx: gemmOnnx, portable: gemmPortable },
  },
  matmul: {
    name: 'matmul',
    infer: (inputs, attributes) => {
      const o = matmulOptions({ attributes });
      const [a, b] = inputs.map((x) => float32('matmul', x));
      const p = canonical(a!.shape, o.rowsFirstA, o.transA);
      const q = canonical(b!.shape, o.rowsFirstB, o.transB);
      const batch = p.slice(0, -2);
      if (formatShape(batch) !== formatShape(q.slice(0, -2)) || p.at(-1) !== q.at(-2)) {
        throw new Error(`matmul: shapes ${formatShape(a!.shape)} and ${formatShape(b!.shape)} do not fit together`);
      }
      return [{ shape: [...batch, p.at(-2)!, q.at(-1)!], dtype: 'float32' }];
    },
    gradient: (node, [g]) => {
      const { transA, transB, rowsFirstA, rowsFirstB, alpha } = matmulOptions(node);
      const [a, b] = node.inputs as [Tensor, Tensor];
      const da = transA
        ? matmul(b, g!, { transA: transB, rowsFirstA: rowsFirstB, transB: true, alpha })
        : matmul(g!, b, { transB: !transB, rowsFirstB, alpha });
      const db = transB
        ? matmul(g!, a, { transA: true, transB: transA, rowsFirstB: rowsFirstA, alpha })
        : matmul(a, g!, { transA: !transA, rowsFirstA, alpha });
      return [rowsToFront(da, rowsFirstA), rowsToFront(db, rowsFirstB)];
    },
    lower: { cpu: matmulCpu, onnx: matmulOnnx },
  },
} satisfies Record<string, Operator>;

/**
 * alpha · op(a) · op(b) + beta · c for matrices, all float32 or all float64; c is a full matrix, a row [N] (bias) or
 * absent.
 *
 * @param a [M, K], or [K, M] with `transA`
 * @param b [K, N], or [N, K] with `transB`
 */
export function gemm(a: Tensor, b: Tensor, c?: Tensor, options: GemmOptions = {}): Tensor {
  return apply1(product.gemm, c ? [a, b, c] : [a, b], { ...gemmDefaults, ...options });
}

/** alpha · op(a) · op(b) for stacks of matrices with equal batch axes: [...batch, M, K] × [...batch, K, N]. */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const stacked = a.shape.length > 2;
  return apply1(product.matmul, [a, b], {
    ...matmulDefaults,
    ...options,
    // Without batch axes both layouts are the same, and FusedMatMul refuses the other one.
    rowsFirstA: stacked && options.rowsFirstA === true,
    rowsFirstB: stacked && options.rowsFirstB === true,
  });
}
