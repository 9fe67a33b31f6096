import { type InferenceSession, Tensor } from 'onnxruntime-node';
import { type AnySizeSession, dtypeOf, type ShapedArray } from '../engine.js';
import { isRefusal, UNRETURNED } from './unreturned.js';

/** A program whose sizes a run tells, on the CPU: it writes into the arrays that it is given. */
export class NodeAnySizeSession implements AnySizeSession {
  /** A tensor takes as long to make as a small operator: what is fed again has one already. */
  readonly #tensors = new WeakMap<ShapedArray, Tensor>();
  /** Objects of the last run, for the next: one of a hundred names takes as long to make as several operators. */
  #spare: { readonly given: Record<string, Tensor>; readonly taken: Record<string, Tensor | null> } | undefined;

  constructor(
    private readonly session: InferenceSession,
    private readonly inputs: readonly string[],
    private readonly outputs: readonly string[],
  ) {}

  async run(feeds: Readonly<Record<string, ShapedArray>>, into: Readonly<Record<string, ShapedArray>>): Promise<void> {
    const objects = this.#spare ?? { given: {}, taken: { [UNRETURNED]: null } };
    // Another run that begins before this one ends has its own.
    this.#spare = undefined;
    const { given, taken } = objects;
    for (const name of this.inputs) given[name] = this.#tensor('input', name, feeds[name]);
    for (const name of this.outputs) taken[name] = this.#tensor('output', name, into[name]);
    try {
      await this.session.run(given, taken);
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
    this.#spare = objects;
  }

  async dispose(): Promise<void> {
    await this.session.release();
  }

  #tensor(what: string, name: string, array: ShapedArray | undefined): Tensor {
    if (!array) throw new Error(`${what} ${name}: nothing is given`);
    let tensor = this.#tensors.get(array);
    if (!tensor) {
      tensor = new Tensor(dtypeOf(array.data), array.data, array.shape);
      this.#tensors.set(array, tensor);
    }
    return tensor;
  }
}
