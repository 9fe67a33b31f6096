import { TensorProto_DataType as DataType, type ModelProto } from 'onnx-buf';

/** An array of a file whose bytes are made when they are written, so that no second model is in memory. */
export interface Weight {
  readonly shape: readonly number[];
  readonly dataType: DataType;
  readonly byteLength: number;
  /** Whole, each time anew. */
  bytes(): Uint8Array;
}

/** Single precision that is in memory already. */
export interface SingleWeight extends Weight {
  readonly values: Float32Array;
}

/** An ONNX model and, beside its graph, the weights that it names. */
export interface OnnxFile {
  readonly model: ModelProto;
  readonly weights: Map<string, Weight>;
}

/** A weight of numbers in memory, row-major. */
export function singleWeight(shape: readonly number[], values: Float32Array): SingleWeight {
  const bytes = () => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { shape, dataType: DataType.FLOAT, byteLength: values.byteLength, bytes, values };
}

/** The weight where it is in single precision. */
export function single(weight: Weight | undefined): SingleWeight | undefined {
  return weight && 'values' in weight ? (weight as SingleWeight) : undefined;
}

/** Makes weights of a graph's inputs that are parameters. */
export function withWeights(model: ModelProto, parameters: ReadonlyMap<string, Weight>): OnnxFile {
  const graph = model.graph!;
  const weights = new Map<string, Weight>();
  graph.input = graph.input.filter(({ name }) => {
    const weight = parameters.get(name);
    if (weight) weights.set(name, weight);
    return !weight;
  });
  return { model, weights };
}
