import { sha256 } from '../base/hash.js';
import { type AttributeValue, apply, type Node, type Tensor } from './tensor.js';

/** Finds equal expressions: the same operator over the same operands with the same attributes (hash consing). */
export class Consing {
  readonly #known = new Map<string, readonly Tensor[]>();
  readonly #numbers = new Map<Tensor, number>();

  /**
   * The one tensor that stands for all equal to `tensor`.
   *
   * @param map what has been shared before; operands found there are replaced, others are shared on the way
   */
  share(tensor: Tensor, map: Map<Tensor, Tensor>): Tensor {
    const done = map.get(tensor);
    if (done) return done;
    const { node } = tensor;
    const inputs = node.inputs.map((operand) => this.share(operand, map));
    const key = [
      node.operator.name,
      ...inputs.map((operand) => this.#numbers.get(operand)),
      ...Object.entries(node.attributes).map(([name, value]) => `${name}=${keyOf(value)}`),
    ].join(' ');
    const outputs = this.#known.get(key) ?? this.#add(key, node, inputs);
    node.outputs.forEach((output, i) => {
      map.set(output, outputs[i]!);
    });
    return outputs[tensor.index]!;
  }

  #add(key: string, node: Node, inputs: Tensor[]): readonly Tensor[] {
    const same = inputs.every((operand, i) => operand === node.inputs[i]);
    const outputs = same ? node.outputs : apply(node.operator, inputs, node.attributes);
    for (const output of outputs) this.#numbers.set(output, this.#numbers.size);
    this.#known.set(key, outputs);
    return outputs;
  }
}

function keyOf(value: AttributeValue): string {
  if (value instanceof Float32Array || value instanceof BigInt64Array) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return `${value.constructor.name}:${sha256(bytes)}`;
  }
  return String(value);
}
