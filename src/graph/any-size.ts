import { create, toBinary } from '@bufbuild/protobuf';
import {
  TensorProto_DataLocation as DataLocation,
  type ModelProto,
  ModelProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from 'onnx-buf';
import { encodeSymbolic, type SymbolicSize } from './symbolic.js';
import type { Target, Tensor } from './tensor.js';

/** A graph ready to run whose sizes a run tells: an ONNX file in memory, and beside it what the file names. */
export interface AnySizeProgram {
  readonly onnx: Uint8Array;
  readonly target: Target;
  /** Large constants by the names that the file has for them. */
  readonly constants: ReadonlyMap<string, Uint8Array>;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** Values of a constant. */
type Values = Float32Array | Uint8Array | Int8Array;

/** Smaller constants stand in the file. */
const BESIDE = 1024;

/**
 * A graph for sizes that a run tells, some of whose inputs are constants: see {@link encodeSymbolic}.
 *
 * @param constants values of inputs by name, each of as many elements as its input
 */
export function encodeAnySize<Name extends string>(
  sizes: readonly SymbolicSize<Name>[],
  trace: (sizes: Readonly<Record<Name, number>>) => Readonly<Record<string, Tensor>>,
  target: Target,
  constants: ReadonlyMap<string, Values> = new Map(),
): AnySizeProgram {
  const model = encodeSymbolic(sizes, trace, target);
  const beside = makeConstant(model, constants);
  const graph = model.graph!;
  const [inputs, outputs] = [graph.input, graph.output].map((infos) => infos.map(({ name }) => name));
  return { onnx: toBinary(ModelProtoSchema, model), target, constants: beside, inputs: inputs!, outputs: outputs! };
}

/** Makes initialisers of the inputs that have values; returns those that stand beside the file. */
function makeConstant(model: ModelProto, constants: ReadonlyMap<string, Values>): Map<string, Uint8Array> {
  const graph = model.graph!;
  const beside = new Map<string, Uint8Array>();
  const kept = graph.input.filter((info) => {
    const values = constants.get(info.name);
    if (values === undefined) return true;
    const { name, type } = info;
    if (type?.value.case !== 'tensorType') throw new Error(`${name} is no tensor`);
    const { elemType, shape } = type.value.value;
    const dims = shape!.dim.map(({ value }) => BigInt(value.value as bigint));
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength) as Uint8Array<ArrayBuffer>;
    const tensor: TensorProto = create(TensorProtoSchema, { name, dims, dataType: elemType });
    if (bytes.length < BESIDE) tensor.rawData = bytes;
    else {
      beside.set(name, bytes);
      tensor.dataLocation = DataLocation.EXTERNAL;
      tensor.externalData = [
        { key: 'location', value: name },
        { key: 'offset', value: '0' },
        { key: 'length', value: String(bytes.length) },
      ].map((entry) => create(StringStringEntryProtoSchema, entry));
    }
    graph.initializer.push(tensor);
    return false;
  });
  graph.input = kept;
  return beside;
}
