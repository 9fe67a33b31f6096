import { type AttributeValue, apply, type ConstantData, type Node, type Tensor } from './tensor.js';

/** Finds equal expressions: the same operator over the same operands with the same attributes (hash consing). */
export class Consing {
  readonly #known = new Map<string, readonly Tensor[]>();
  readonly #numbers = new Map<Tensor, number>();
  readonly #contents = new Contents();

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
      ...Object.entries(node.attributes).map(([name, value]) => `${name}=${this.#keyOf(value)}`),
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

  #keyOf(value: AttributeValue): string {
    if (value instanceof Float32Array || value instanceof BigInt64Array) return `#${this.#contents.numberOf(value)}`;
    if (typeof value === 'string') return JSON.stringify(value);
    return Object.is(value, -0) ? '-0' : String(value);
  }
}

/**
 * Numbers arrays so that two have the same number exactly when their types and bytes are equal (so −0 and 0 differ).
 * Plain code instead of a cryptographic hash: it runs in browsers too, and synchronously.
 */
class Contents {
  readonly #numbers = new Map<ConstantData, number>();
  readonly #buckets = new Map<string, ConstantData[]>();

  numberOf(array: ConstantData): number {
    const known = this.#numbers.get(array);
    if (known !== undefined) return known;
    const words = wordsOf(array);
    const key = `${array.constructor.name} ${array.length} ${hash(words)}`;
    const bucket = this.#buckets.get(key) ?? [];
    if (bucket.length === 0) this.#buckets.set(key, bucket);
    const same = bucket.find((other) => equal(wordsOf(other), words));
    if (!same) bucket.push(array);
    const number = same ? this.#numbers.get(same)! : this.#numbers.size;
    this.#numbers.set(array, number);
    return number;
  }
}

function wordsOf(array: ConstantData): Uint32Array {
  return new Uint32Array(array.buffer, array.byteOffset, array.byteLength / Uint32Array.BYTES_PER_ELEMENT);
}

/** FNV-1a over 32-bit words: only narrows the search, equality is decided by comparing. */
function hash(words: Uint32Array): number {
  let h = 0x811c9dc5;
  // By index: an iterator takes ten times as long, and a mask has millions of words.
  for (let i = 0; i < words.length; i++) h = Math.imul(h ^ words[i]!, 0x01000193);
  return h >>> 0;
}

function equal(a: Uint32Array, b: Uint32Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
