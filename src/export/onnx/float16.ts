import { TensorProto_DataType as DataType, type NodeProto, type TensorProto } from 'onnx-buf';
import { toFloat16 } from '../../base/half-precision.js';
import { addConstant, dropUnread, node } from './nodes.js';
import type { OnnxFile, Weight } from './onnx-file.js';

/** Numbers of half precision end at 65504; sums of a few of these still lie within. */
const LIMIT = 10_000;
/** What a constant may be beyond: it says "however small" or "however large". */
const clip = (x: number): number => Math.max(-LIMIT, Math.min(LIMIT, x));

/** What a value is: whole numbers, single precision that no weight has a part in, or half precision. */
type Kind = 'whole' | 'single' | 'half';

/**
 * Computes with weights in half precision; what goes in and comes out, the cache among it, stays in single. What depends
 * on no weight, masks and the angles of positions, is computed in single precision and rounded where it meets one:
 * places in a long text are no numbers of half precision.
 */
export function toHalfPrecision(file: OnnxFile): void {
  const { model, weights } = file;
  const graph = model.graph!;
  const kinds = new Map<string, Kind>();
  const constants = new Map<string, TensorProto>();
  for (const tensor of graph.initializer) {
    constants.set(tensor.name, tensor);
    kinds.set(tensor.name, tensor.dataType === DataType.FLOAT ? 'single' : 'whole');
  }
  for (const [name, weight] of weights) {
    if (weight.dataType === DataType.FLOAT) weights.set(name, halfWeight(weight));
    kinds.set(name, weight.dataType === DataType.FLOAT ? 'half' : 'whole');
  }
  const nodes: NodeProto[] = [];
  const rounded = new Map<string, string>();
  for (const { name, type } of graph.input) {
    const float = type?.value.case === 'tensorType' && type.value.value.elemType === DataType.FLOAT;
    kinds.set(name, float ? 'half' : 'whole');
    if (float) rounded.set(name, cast(nodes, name, `${name} half`, DataType.FLOAT16));
  }
  const half = (name: string): string => {
    if (kinds.get(name) !== 'single') return rounded.get(name) ?? name;
    const known = rounded.get(name);
    if (known !== undefined) return known;
    const constant = constants.get(name);
    const made = constant ? addHalf(constant) : clipped(name);
    rounded.set(name, made);
    return made;
  };
  const addHalf = (constant: TensorProto): string => {
    const values = Float32Array.from(new Float32Array(constant.rawData.slice().buffer), clip);
    const bits = new Uint16Array(values.length);
    toFloat16(values, bits);
    const name = `${constant.name} half`;
    const rawData = new Uint8Array(bits.buffer);
    graph.initializer.push({ ...constant, name, dataType: DataType.FLOAT16, rawData });
    return name;
  };
  const clipped = (name: string): string => {
    const [low, high] = ([-LIMIT, LIMIT] as const).map((bound) => {
      const id = `half precision ${bound}`;
      if (!constants.has(id)) {
        addConstant(graph, id, Float32Array.of(bound), []);
        constants.set(id, graph.initializer.at(-1)!);
      }
      return id;
    }) as [string, string];
    nodes.push(node('Clip', [name, low, high], `${name} clipped`));
    return cast(nodes, `${name} clipped`, `${name} half`, DataType.FLOAT16);
  };
  const outputs = new Set(graph.output.map(({ name }) => name));
  for (const one of graph.node) {
    const kind = kindOf(one, kinds);
    for (const name of one.output) kinds.set(name, kind);
    if (kind !== 'half') {
      nodes.push(one);
      continue;
    }
    one.input = one.input.map(half);
    const [name] = one.output as [string];
    if (!outputs.has(name)) nodes.push(one);
    // An output is a copy of a value.
    else cast(nodes, one.input[0]!, name, DataType.FLOAT);
  }
  graph.node = nodes;
  dropUnread(file);
}

function cast(nodes: NodeProto[], from: string, to: string, type: DataType): string {
  nodes.push(node('Cast', [from], to, { numbers: { to: type } }));
  return to;
}

function kindOf({ opType, input, attribute }: NodeProto, kinds: ReadonlyMap<string, Kind>): Kind {
  const given = input.map((name) => kinds.get(name));
  const whole = opType === 'Shape' || (opType === 'Cast' && attribute[0]!.i !== BigInt(DataType.FLOAT));
  if (whole) return 'whole';
  if (given.includes('half')) return 'half';
  return given.includes('single') || opType === 'Cast' ? 'single' : 'whole';
}

function halfWeight({ shape, byteLength, bytes }: Weight): Weight {
  const half = () => {
    const whole = bytes();
    const values = new Float32Array(whole.buffer, whole.byteOffset, whole.byteLength / 4);
    const bits = new Uint16Array(values.length);
    toFloat16(values, bits);
    return new Uint8Array(bits.buffer);
  };
  return { shape, dataType: DataType.FLOAT16, byteLength: byteLength / 2, bytes: half };
}
