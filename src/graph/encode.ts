import { create, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import { product } from './operators/product.js';
import { ONNX_TYPE } from './operators/rules.js';
import { peakBytes } from './peak-memory.js';
import { recompute } from './recompute.js';
import { simplify } from './simplify.js';
import {
  type ConstantData,
  type Emitter,
  type FloatAttribute,
  type Lowering,
  type Node,
  type Shape,
  type Target,
  type Tensor,
  type TensorType,
  topologicalOrder,
} from './tensor.js';

/** A graph ready to run: an ONNX file in memory and what goes in and comes out. */
export interface Program {
  readonly onnx: Uint8Array;
  readonly target: Target;
  readonly inputs: ReadonlyMap<string, TensorType>;
  readonly outputs: ReadonlyMap<string, TensorType>;
  /** Bytes of the machine that intermediate values take on the CPU: see `peak-memory.ts`. */
  readonly peakBytes: number;
}

/** How a graph is lowered. */
export interface EncodeOptions {
  /**
   * The output that ends the forward pass: what follows it makes cheap values again, see `recompute.ts`. It is made after all
   * others, which then need not wait with what both need in memory: a chunk of the head's scores is done with when its gradient
   * is there, if the loss does not ask for all chunks first.
   */
  readonly recomputeAfter?: string;
  /** In what products of matrices of float32 are computed: their operands are rounded to it, and what comes out is float32. */
  readonly products?: 'fp16' | 'bf16' | undefined;
}

/** The version of ONNX's operators that the lowerings are written against, unless a graph has one that came later. */
const OPSET = 21n;
const IR_VERSION = 10n;

const elementTypes = {
  float32: DataType.FLOAT,
  float64: DataType.DOUBLE,
  int64: DataType.INT64,
  int32: DataType.INT32,
  int8: DataType.INT8,
  uint8: DataType.UINT8,
  uint16: DataType.UINT16,
} as const;

const halfTypes = { fp16: ONNX_TYPE.FLOAT16, bf16: ONNX_TYPE.BFLOAT16 } as const;

type AttributeInit = number | string | readonly number[] | FloatAttribute;

/**
 * Lowers traced outputs to an ONNX model for a target, after {@link simplify}.
 *
 * @param outputs by the names they will have
 * @throws Error when an operator cannot be lowered to the target
 */
export function encode(
  outputs: Readonly<Record<string, Tensor>>,
  target: Target,
  options: EncodeOptions = {},
): Program {
  const { encoder, peakBytes } = encoded(outputs, target, options);
  return encoder.finish(peakBytes);
}

/** The model of {@link encode}, before it is a file: as its constants it has the arrays of the trace. */
export function encodeModel(outputs: Readonly<Record<string, Tensor>>, target: Target): ModelProto {
  return encoded(outputs, target, {}).encoder.model();
}

function encoded(
  outputs: Readonly<Record<string, Tensor>>,
  target: Target,
  { recomputeAfter, products }: EncodeOptions,
) {
  const names = Object.keys(outputs);
  let roots = simplify(Object.values(outputs), target);
  const forward = recomputeAfter === undefined ? -1 : names.indexOf(recomputeAfter);
  if (forward >= 0) roots = recompute(roots, roots[forward]!);
  const encoder = new Encoder(target, products && halfTypes[products]);
  const order = emissionOrder(roots, roots[forward]?.node);
  for (const node of order) encoder.add(node);
  roots.forEach((tensor, i) => {
    encoder.addOutput(names[i]!, tensor);
  });
  return { encoder, peakBytes: peakBytes(order, roots) };
}

/**
 * Nodes in the order of the file. ONNX Runtime orders a graph by walking back from the nodes that nothing uses, the last
 * of the file first. So these come last here, the latest traced first: then a backward pass makes the gradients of a
 * layer's weights when it passes that layer, not all at the end with every activation still in memory.
 */
function emissionOrder(roots: readonly Tensor[], last: Node | undefined): Node[] {
  const order = topologicalOrder(roots);
  const used = new Set(order.flatMap((node) => node.inputs.map((tensor) => tensor.node)));
  const ends = order.filter((node) => !used.has(node)).reverse();
  // The first of the ends in the file is the last that is run.
  const run = last && ends.includes(last) ? [last, ...ends.filter((node) => node !== last)] : ends;
  return [...order.filter((node) => used.has(node)), ...run];
}

class Encoder implements Emitter {
  readonly #graph: GraphProto = create(GraphProtoSchema, { name: 'meanfield' });
  readonly #names = new Map<Tensor, string>();
  readonly #constants = new Map<string, string>();
  /** Values that nodes give. */
  readonly #made = new Set<string>();
  /** Those that are outputs, by the public names that they will have instead. */
  readonly #renamed = new Map<string, string>();
  readonly #inputs = new Map<string, TensorType>();
  readonly #outputs = new Map<string, TensorType>();
  #count = 0;
  #opset = OPSET;

  /** What products have rounded, by the names of the values: weights serve the backward pass too. */
  readonly #halves = new Map<string, string>();

  /** @param half ONNX's number of the type that products of matrices are computed in, if it is not float32 */
  constructor(
    readonly target: Target,
    private readonly half?: number,
  ) {}

  add(node: Node): void {
    const lowering = node.operator.lower?.[this.target] ?? node.operator.lower?.onnx;
    if (!lowering) throw new Error(`${node.operator.name} cannot be lowered to ${this.target}`);
    const inputs = node.inputs.map((tensor) => this.#names.get(tensor)!);
    const isProduct = node.operator === product.gemm || node.operator === product.matmul;
    const inHalf = this.half !== undefined && isProduct && node.inputs[0]!.dtype === 'float32';
    const names = inHalf ? this.#inHalf(lowering, node, inputs) : lowering(this, node, inputs);
    node.outputs.forEach((tensor, i) => {
      this.#names.set(tensor, names[i]!);
    });
  }

  /** A product of rounded operands. Its factor is float32: with it the largest sums need not fit into fewer bits. */
  #inHalf(lowering: Lowering, node: Node, inputs: readonly string[]): string[] {
    const rounded = inputs.map((name) => {
      const half = this.#halves.get(name) ?? this.emit('Cast', [name], { to: this.half! })[0]!;
      this.#halves.set(name, half);
      return half;
    });
    const plain = node.operator === product.matmul ? { ...node, attributes: { ...node.attributes, alpha: 1 } } : node;
    const y = this.emit('Cast', lowering(this, plain, rounded), { to: ONNX_TYPE.FLOAT });
    const { alpha } = node.attributes as { readonly alpha: number };
    return plain === node || alpha === 1 ? y : this.emit('Mul', [y[0]!, this.constant(Float32Array.of(alpha), [])]);
  }

  /**
   * Gives a tensor the public name of an output. The node that makes it writes it under that name: an Identity behind it
   * would be a pass over memory wherever something else reads the tensor as well (AdamW's moments: a tenth of its time).
   * A portable file keeps it: ONNX Runtime 1.30 loses the bias of a product in few bits that is an output itself.
   */
  addOutput(name: string, tensor: Tensor): void {
    const value = this.#names.get(tensor)!;
    const direct = this.target !== 'portable' && this.#made.has(value) && !this.#renamed.has(value);
    if (direct) this.#renamed.set(value, name);
    else this.#node('Identity', [value], [name]);
    this.#graph.output.push(valueInfo(name, tensor));
    this.#outputs.set(name, { shape: tensor.shape, dtype: tensor.dtype });
  }

  finish(peakBytes: number): Program {
    const onnx = toBinary(ModelProtoSchema, this.model());
    return { onnx, target: this.target, inputs: this.#inputs, outputs: this.#outputs, peakBytes };
  }

  model(): ModelProto {
    const renamed = (name: string) => this.#renamed.get(name) ?? name;
    for (const node of this.#graph.node) {
      node.input = node.input.map(renamed);
      node.output = node.output.map(renamed);
    }
    return create(ModelProtoSchema, {
      irVersion: IR_VERSION,
      producerName: 'meanfield',
      opsetImport: [
        { domain: '', version: this.#opset },
        { domain: 'com.microsoft', version: 1n },
      ],
      graph: this.#graph,
    });
  }

  emit(
    type: string,
    inputs: readonly string[],
    attributes: Record<string, AttributeInit> = {},
    { domain = '', outputs = 1, since = OPSET } = {},
  ): string[] {
    if (since > this.#opset) this.#opset = since;
    const names = Array.from({ length: outputs }, () => `${type}_${this.#count++}`);
    this.#node(type, inputs, names, attributes, domain);
    return names;
  }

  constant(data: ConstantData | Int32Array | Uint8Array, shape: Shape): string {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    // Large constants are already shared as tensors; only the small ones that lowerings make are compared by content.
    const key = bytes.length > 256 ? undefined : `${data.constructor.name} ${shape} ${bytes}`;
    const known = key && this.#constants.get(key);
    if (known) return known;
    const name = `constant_${this.#count++}`;
    if (key) this.#constants.set(key, name);
    this.#graph.initializer.push(
      create(TensorProtoSchema, {
        name,
        dims: shape.map(BigInt),
        dataType: elementTypes[typeOf(data)],
        rawData: bytes as Uint8Array<ArrayBuffer>,
      }),
    );
    return name;
  }

  input(name: string, type: TensorType): string {
    this.#inputs.set(name, { shape: type.shape, dtype: type.dtype });
    this.#graph.input.push(valueInfo(name, type));
    return name;
  }

  #node(
    opType: string,
    input: readonly string[],
    output: readonly string[],
    attributes: Record<string, AttributeInit> = {},
    domain = '',
  ): void {
    const attribute = Object.entries(attributes).map(([key, value]) => attributeInit(key, value));
    const name = output[0]!;
    for (const one of output) this.#made.add(one);
    this.#graph.node.push(
      create(NodeProtoSchema, { name, opType, domain, input: [...input], output: [...output], attribute }),
    );
  }
}

function typeOf(data: ConstantData | Int32Array | Uint8Array): keyof typeof elementTypes {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Uint8Array) return 'uint8';
  return data instanceof Int32Array ? 'int32' : 'int64';
}

function attributeInit(name: string, value: AttributeInit) {
  if (typeof value === 'string')
    return { name, type: AttributeType.STRING, s: new TextEncoder().encode(value) as Uint8Array<ArrayBuffer> };
  if (typeof value === 'number') return { name, type: AttributeType.INT, i: BigInt(value) };
  if ('float' in value) return { name, type: AttributeType.FLOAT, f: value.float };
  return { name, type: AttributeType.INTS, ints: value.map(BigInt) };
}

function valueInfo(name: string, { shape, dtype }: TensorType): ValueInfoProto {
  const dim = shape.map((size) => ({ value: { case: 'dimValue' as const, value: BigInt(size) } }));
  const type = { value: { case: 'tensorType' as const, value: { elemType: elementTypes[dtype], shape: { dim } } } };
  return create(ValueInfoProtoSchema, { name, type });
}
