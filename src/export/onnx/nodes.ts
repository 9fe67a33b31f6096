import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  type GraphProto,
  type NodeProto,
  NodeProtoSchema,
  TensorProtoSchema,
} from 'onnx-buf';
import { type OnnxFile, type SingleWeight, single } from './onnx-file.js';

/** What a node has beside its inputs and output. */
export interface NodeOptions {
  readonly numbers?: Readonly<Record<string, number | readonly number[]>>;
  readonly domain?: string;
  /** Of further outputs, their names. */
  readonly more?: readonly string[];
}

/** A node, named as its output is. */
export function node(
  opType: string,
  input: readonly string[],
  output: string,
  { numbers = {}, domain = '', more = [] }: NodeOptions = {},
): NodeProto {
  const attribute = Object.entries(numbers).map(([name, value]) =>
    typeof value === 'number'
      ? create(AttributeProtoSchema, { name, type: AttributeType.INT, i: BigInt(value) })
      : create(AttributeProtoSchema, { name, type: AttributeType.INTS, ints: value.map(BigInt) }),
  );
  const names = { name: output, input: [...input], output: [output, ...more] };
  return create(NodeProtoSchema, { opType, domain, ...names, attribute });
}

/** Adds numbers to a graph, as it has them: single precision, or whole numbers. */
export function addConstant(
  graph: GraphProto,
  name: string,
  values: Float32Array | BigInt64Array | Uint8Array,
  dims: number[],
): string {
  const rawData = new Uint8Array(values.buffer, values.byteOffset, values.byteLength) as Uint8Array<ArrayBuffer>;
  const types = { Float32Array: DataType.FLOAT, BigInt64Array: DataType.INT64, Uint8Array: DataType.UINT8 };
  const dataType = types[values.constructor.name as keyof typeof types];
  graph.initializer.push(create(TensorProtoSchema, { name, dims: dims.map(BigInt), dataType, rawData }));
  return name;
}

/** A product of what a run brings and a weight: rows [M, K] times [K, N], and a bias where it has one. */
export interface ConstantProduct {
  readonly rows: string;
  readonly name: string;
  readonly weight: SingleWeight;
  /** Whether the weight lies as [N, K]. */
  readonly transposed: boolean;
  readonly K: number;
  readonly N: number;
  readonly bias: string | undefined;
  readonly output: string;
}

/** The product that a node is, if it is one. */
export function constantProduct(
  { weights }: OnnxFile,
  { opType, input, output, attribute }: NodeProto,
): ConstantProduct | undefined {
  const [rows, name, bias] = input as [string, string, string?];
  const weight = opType === 'Gemm' ? single(weights.get(name)) : undefined;
  if (!weight) return undefined;
  const is = (key: string) => attribute.find((one) => one.name === key)?.i === 1n;
  if (is('transA') || weights.has(rows)) return undefined;
  const transposed = is('transB');
  const [first, second] = weight.shape as [number, number];
  const [K, N] = transposed ? [second, first] : [first, second];
  return { rows, name, weight, transposed, K, N, bias, output: output[0]! };
}

/** Leaves out the weights and constants that no node reads any more. */
export function dropUnread({ model, weights }: OnnxFile): void {
  const graph = model.graph!;
  const read = new Set(graph.node.flatMap(({ input }) => input));
  graph.initializer = graph.initializer.filter(({ name }) => read.has(name));
  for (const name of weights.keys()) if (!read.has(name)) weights.delete(name);
}
