import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  TensorProto_DataLocation as DataLocation,
  GraphProtoSchema,
  ModelProtoSchema,
  TensorProtoSchema,
} from 'onnx-buf';
import type { OnnxFile, Weight } from './onnx-file.js';

/** One of a model's files: its bytes, piece by piece. */
export interface OnnxPart {
  readonly name: string;
  readonly bytes: number;
  readonly content: () => Iterable<Uint8Array>;
}

/** Weights outside begin at whole pages, so that a program can map them into memory. */
const PAGE = 4096;

/** Tags of fields that hold bytes or messages: a field's number and 2 (protobuf's encoding). */
const MODEL_GRAPH = (7 << 3) | 2;
const GRAPH_INITIALIZER = (5 << 3) | 2;
const TENSOR_RAW_DATA = (9 << 3) | 2;

/**
 * The files of a model: one, or, where that would have more than `most` bytes, the graph and its weights beside it in
 * `NAME_data`, `NAME_data_1` …, of no more than that each, unless a single weight has.
 *
 * @param most below 2 GiB: what one message of protobuf may have
 */
export function onnxParts(name: string, file: OnnxFile, most: number): OnnxPart[] {
  const whole = modelPart(name, file, [...file.weights].map(insideField));
  if (whole.bytes <= most) return [whole];
  const outside = outsideParts(`${name}_data`, file.weights, most);
  return [modelPart(name, file, outside.fields), ...outside.parts];
}

/** Bytes of a graph that stand for one weight, piece by piece. */
interface Field {
  readonly bytes: number;
  readonly content: () => Iterable<Uint8Array>;
}

/** Fields of a message may come in any order: the weights' are written behind those that the library encodes. */
function modelPart(name: string, { model }: OnnxFile, fields: readonly Field[]): OnnxPart {
  const graph = toBinary(GraphProtoSchema, model.graph!);
  const { graph: _graph, ...rest } = model;
  const frame = toBinary(ModelProtoSchema, create(ModelProtoSchema, rest));
  const length = fields.reduce((sum, { bytes }) => sum + bytes, graph.length);
  const head = Buffer.concat([frame, Uint8Array.of(MODEL_GRAPH), varint(length), graph]);
  const content = function* () {
    yield head;
    for (const field of fields) yield* field.content();
  };
  return { name, bytes: head.length - graph.length + length, content };
}

function insideField([name, weight]: readonly [string, Weight]): Field {
  const rest = tensorBytes(name, weight);
  const data = Buffer.concat([rest, Uint8Array.of(TENSOR_RAW_DATA), varint(weight.byteLength)]);
  const head = Buffer.concat([Uint8Array.of(GRAPH_INITIALIZER), varint(data.length + weight.byteLength), data]);
  const content = function* () {
    yield head;
    yield weight.bytes();
  };
  return { bytes: head.length + weight.byteLength, content };
}

function outsideParts(name: string, weights: ReadonlyMap<string, Weight>, most: number) {
  const files: { readonly name: string; readonly weights: Weight[]; bytes: number }[] = [];
  const fields: Field[] = [];
  for (const [id, weight] of weights) {
    if (weight.byteLength < PAGE) {
      fields.push(insideField([id, weight]));
      continue;
    }
    let file = files.at(-1);
    if (!file || pages(file.bytes) + weight.byteLength > most) {
      file = { name: files.length === 0 ? name : `${name}_${files.length}`, weights: [], bytes: 0 };
      files.push(file);
    }
    const offset = pages(file.bytes);
    const place = { location: file.name, offset: String(offset), length: String(weight.byteLength) };
    const data = tensorBytes(id, weight, {
      dataLocation: DataLocation.EXTERNAL,
      externalData: Object.entries(place).map(([key, value]) => ({ key, value })),
    });
    const bytes = Buffer.concat([Uint8Array.of(GRAPH_INITIALIZER), varint(data.length), data]);
    fields.push({ bytes: bytes.length, content: () => [bytes] });
    file.weights.push(weight);
    file.bytes = offset + weight.byteLength;
  }
  const parts = files.map((file): OnnxPart => {
    const content = function* () {
      let at = 0;
      for (const weight of file.weights) {
        yield new Uint8Array(pages(at) - at);
        yield weight.bytes();
        at = pages(at) + weight.byteLength;
      }
    };
    return { name: file.name, bytes: file.bytes, content };
  });
  return { fields, parts };
}

const pages = (bytes: number): number => Math.ceil(bytes / PAGE) * PAGE;

function tensorBytes(
  name: string,
  { shape, dataType }: Weight,
  more: MessageInitShape<typeof TensorProtoSchema> = {},
): Uint8Array {
  return toBinary(TensorProtoSchema, create(TensorProtoSchema, { ...more, name, dims: shape.map(BigInt), dataType }));
}

/** A number as protobuf writes it: 7 bits a byte, the lowest first. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  return Uint8Array.from([...bytes, rest]);
}
