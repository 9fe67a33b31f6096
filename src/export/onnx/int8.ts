/*
 * Shape suffixes: M rows that a run brings; K what a product sums over; N its columns; V rows of a table.
 */
import { TensorProto_DataType as DataType, type NodeProto } from 'onnx-buf';
import { ONNX_TYPE } from '../../graph/index.js';
import { addConstant, type ConstantProduct, constantProduct, dropUnread, node } from './nodes.js';
import { type OnnxFile, type SingleWeight, single, singleWeight, type Weight } from './onnx-file.js';

/**
 * The largest code. ONNX Runtime's kernels for processors without VNNI add two products of 8 bits in 16: with larger codes
 * such sums are cut off (its `reduce_range`).
 */
const LARGEST = 63;

/**
 * Makes the products with weights products of 8-bit numbers (`MatMulInteger`), and tables of rows 8-bit. A weight has a
 * scale for each column of its product, or row of its table; what a run brings is quantised there, each row by a scale
 * of its own. By one scale for all rows, as `DynamicQuantizeLinear` has it, a token with large numbers takes the others'
 * precision: SmolLM2-135M-Instruct then loses 0.40 nats a token, and so 0.07.
 */
export function quantizeInt8(file: OnnxFile): void {
  const graph = file.model.graph!;
  const pass = new Int8Pass(file);
  graph.node = graph.node.flatMap((one) => pass.replace(one) ?? [one]);
  dropUnread(file);
}

/** What a run brings has codes from 0 to 255, as kernels are made for; this one stands for 0. */
const ZERO = 'uint8 zero';

class Int8Pass {
  readonly #file: OnnxFile;
  /** Weights that rows are read of: they lie as they did, a row for each. */
  readonly #tables: ReadonlySet<string>;
  readonly #made = new Set<string>();

  constructor(file: OnnxFile) {
    this.#file = file;
    const read = file.model.graph!.node.filter(({ opType }) => opType === 'Gather').map(({ input }) => input[0]!);
    this.#tables = new Set(read.filter((name) => single(file.weights.get(name))?.shape.length === 2));
  }

  /** The nodes that stand for one, or undefined where it stays. */
  replace(one: NodeProto): NodeProto[] | undefined {
    const product = constantProduct(this.#file, one);
    if (product) return this.#product(product);
    return one.opType === 'Gather' && this.#tables.has(one.input[0]!) ? this.#rows(one) : undefined;
  }

  #product({ rows, name, weight, transposed, bias, output }: ConstantProduct): NodeProto[] {
    const nodes: NodeProto[] = [];
    const own = (what: string) => `${output} ${what}`;
    const codes = `${rows} codes`;
    if (this.#first(codes)) nodes.push(...this.#quantized(rows));
    const { codes: packed, scales } = this.#weight(name, weight, transposed, nodes);
    const sum = bias === undefined ? output : own('product');
    nodes.push(
      node('MatMulInteger', [codes, packed, ZERO], own('sums')),
      node('Cast', [own('sums')], own('whole'), { numbers: { to: ONNX_TYPE.FLOAT } }),
      node('Mul', [own('whole'), scales], own('in columns')),
      node('Mul', [own('in columns'), `${rows} column`], sum),
      ...(bias === undefined ? [] : [node('Add', [sum, bias], output)]),
    );
    return nodes;
  }

  /** Codes of rows, and what a code of 1 stands for in each. */
  #quantized(rows: string): NodeProto[] {
    const graph = this.#file.model.graph!;
    if (this.#first('int8 range')) {
      addConstant(graph, 'int8 range', Float32Array.of(1 / 127), []);
      addConstant(graph, 'int8 least', Float32Array.of(1e-30), []);
      addConstant(graph, ZERO, Uint8Array.of(128), []);
    }
    const axis = this.#lastAxis();
    return [
      node('Abs', [rows], `${rows} magnitudes`),
      node('ReduceMax', [`${rows} magnitudes`, axis], `${rows} largest`, { numbers: { keepdims: 1 } }),
      node('Mul', [`${rows} largest`, 'int8 range'], `${rows} ranges`),
      node('Max', [`${rows} ranges`, 'int8 least'], `${rows} column`),
      node('Squeeze', [`${rows} column`, axis], `${rows} scales`),
      node('Shape', [`${rows} scales`], `${rows} count`),
      node('Expand', [ZERO, `${rows} count`], `${rows} zeros`),
      node('QuantizeLinear', [rows, `${rows} scales`, `${rows} zeros`], `${rows} codes`, { numbers: { axis: 0 } }),
    ];
  }

  #lastAxis(): string {
    const axis = 'int8 last axis';
    if (this.#first(axis)) addConstant(this.#file.model.graph!, axis, BigInt64Array.of(-1n), [1]);
    return axis;
  }

  #rows({ input, output }: NodeProto): NodeProto[] {
    const [name, ids] = input as [string, string];
    const nodes: NodeProto[] = [];
    const { codes, scales } = this.#table(name, single(this.#file.weights.get(name))!);
    const own = (what: string) => `${output[0]} ${what}`;
    const axis = this.#lastAxis();
    nodes.push(
      node('Gather', [codes, ids], own('codes')),
      node('Cast', [own('codes')], own('whole'), { numbers: { to: ONNX_TYPE.FLOAT } }),
      node('Gather', [scales, ids], own('scales')),
      node('Unsqueeze', [own('scales'), axis], own('column')),
      node('Mul', [own('whole'), own('column')], output[0]!),
    );
    return nodes;
  }

  /** The names of codes [K, N] and scales [N]. */
  #weight(name: string, weight: SingleWeight, transposed: boolean, nodes: NodeProto[]) {
    if (this.#tables.has(name) && transposed) {
      const { codes, scales } = this.#table(name, weight);
      const turned = `${name} columns`;
      // What does not change is computed once, when the file is opened.
      if (this.#first(turned)) nodes.push(node('Transpose', [codes], turned, { numbers: { perm: [1, 0] } }));
      return { codes: turned, scales };
    }
    const [codes, scales] = [`${name} int8`, `${name} scales`];
    if (this.#first(codes)) {
      const columns = columnsOf(weight, transposed);
      const scale_N = columnScales(columns);
      this.#add(codes, [columns.K, columns.N], () => columnCodes(columns, scale_N));
      this.#file.weights.set(scales, singleWeight([columns.N], scale_N));
    }
    return { codes, scales };
  }

  /** The names of codes [V, C] and scales [V] of a table. */
  #table(name: string, weight: SingleWeight) {
    const [codes, scales] = [`${name} rows int8`, `${name} rows scales`];
    if (this.#first(codes)) {
      const columns = columnsOf(weight, true);
      const scale_V = columnScales(columns);
      this.#add(codes, [columns.N, columns.K], () => rowCodes(columns, scale_V));
      this.#file.weights.set(scales, singleWeight([columns.N], scale_V));
    }
    return { codes, scales };
  }

  #add(name: string, shape: readonly [number, number], codes: () => Int8Array): void {
    const bytes = () => new Uint8Array(codes().buffer);
    const weight: Weight = { shape, dataType: DataType.INT8, byteLength: shape[0] * shape[1], bytes };
    this.#file.weights.set(name, weight);
  }

  /** Whether it is asked for the first time. */
  #first(name: string): boolean {
    if (this.#made.has(name)) return false;
    this.#made.add(name);
    return true;
  }
}

/** A weight as a product reads it: element (k, n) at k · stepK + n · stepN. */
interface Columns {
  readonly values: Float32Array;
  readonly K: number;
  readonly N: number;
  readonly stepK: number;
  readonly stepN: number;
}

function columnsOf({ values, shape }: SingleWeight, transposed: boolean): Columns {
  const [first, second] = shape as [number, number];
  return transposed
    ? { values, K: second, N: first, stepK: 1, stepN: second }
    : { values, K: first, N: second, stepK: second, stepN: 1 };
}

/** What a code of 1 stands for in each column; of a column of zeros, 1. */
function columnScales({ values, K, N, stepK, stepN }: Columns): Float32Array {
  const largest_N = new Float32Array(N);
  for (let k = 0; k < K; k++) {
    for (let n = 0; n < N; n++) largest_N[n] = Math.max(largest_N[n]!, Math.abs(values[k * stepK + n * stepN]!));
  }
  return largest_N.map((largest) => (largest === 0 ? 1 : largest / LARGEST));
}

/** [K, N] */
function columnCodes({ values, K, N, stepK, stepN }: Columns, scale_N: Float32Array): Int8Array {
  const codes = new Int8Array(K * N);
  for (let n = 0; n < N; n++) {
    for (let k = 0; k < K; k++) codes[k * N + n] = code(values[k * stepK + n * stepN]!, scale_N[n]!);
  }
  return codes;
}

/** [N, K] */
function rowCodes({ values, K, N }: Columns, scale_N: Float32Array): Int8Array {
  const codes = new Int8Array(K * N);
  for (let n = 0; n < N; n++) {
    for (let k = 0; k < K; k++) codes[n * K + k] = code(values[n * K + k]!, scale_N[n]!);
  }
  return codes;
}

const code = (value: number, scale: number): number => Math.max(-LARGEST, Math.min(LARGEST, Math.round(value / scale)));
