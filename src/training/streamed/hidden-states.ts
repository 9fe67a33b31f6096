/*
 * Where the hidden states before each part of a model are, of all micro-batches of a step, from the way forth to the way back:
 * in memory, or put by while only those that are worked on are there.
 *
 * Parts are numbered as they are gone through: 0 what follows the embedding, then the blocks, and last what comes before the
 * head. Boundary i is what part i reads; boundary 0 are the rows of the tokens.
 */
import type { CutGraph } from './cut-graph.js';

/** Where forward writes, by the number of the micro-batch. */
export interface States {
  /** The rows of the tokens. */
  rows(batch: number): Float32Array;
  /** Before block `layer`, and after the last. */
  state(layer: number, batch: number): Float32Array;
  /** What the head scores. */
  hidden(batch: number): Float32Array;
  /** Is told when a boundary is there of all micro-batches, and waited for. */
  passed?(boundary: number): Promise<void>;
}

/** Vectors of the size of a hidden state, two for each micro-batch, that the way back goes through by turns. */
export type Gradients = readonly [readonly Float32Array[], readonly Float32Array[]];

/** The states of a step, which the way back reads again. */
export interface StepStates extends States {
  readonly gradients: Gradients;
  /** Everything that lies in memory, for other work between two steps. */
  readonly places: readonly Float32Array[];
  /** What part `boundary` read; it is given back. The way back asks for all of them, the last part's first. */
  before(boundary: number, batch: number): Promise<Float32Array>;
  release(state: Float32Array): void;
  close(): Promise<void>;
}

/** Keeps hidden states elsewhere. */
export interface BoundaryStore {
  /** Memory that it can keep. */
  memory(): Promise<Float32Array>;
  /** Begins to keep a state, which must not change until the promise resolves. */
  save(state: Float32Array, boundary: number, batch: number): Promise<void>;
  /** Fills memory of its own. */
  load(state: Float32Array, boundary: number, batch: number): Promise<void>;
  close(): Promise<void>;
}

/** How many states there are, and how large they are. */
export interface BoundarySizes {
  readonly boundaries: number;
  readonly batches: number;
  /** Elements of a state: tokens of a micro-batch times the width. */
  readonly elements: number;
}

/** @param batches micro-batches of a step */
export const boundarySizes = ({ blocks, tokens, width }: CutGraph, batches: number): BoundarySizes => ({
  boundaries: blocks.length + 2,
  batches,
  elements: tokens * width,
});

/** All states in memory: a boundary more than blocks and the two of {@link Gradients}, for each micro-batch. */
export class StatesInMemory implements StepStates {
  readonly #states: readonly (readonly Float32Array[])[];
  readonly gradients: Gradients;

  constructor({ boundaries, batches, elements }: BoundarySizes) {
    const each = () => Array.from({ length: batches }, () => new Float32Array(elements));
    this.#states = Array.from({ length: boundaries }, each);
    this.gradients = [each(), each()];
  }

  get places(): readonly Float32Array[] {
    return this.#states.flat();
  }

  rows(batch: number): Float32Array {
    return this.#states[0]![batch]!;
  }

  state(layer: number, batch: number): Float32Array {
    return this.#states[1 + layer]![batch]!;
  }

  hidden(batch: number): Float32Array {
    // Where the gradients will be that come after the head's: it is not needed any more then.
    return this.gradients[1][batch]!;
  }

  async before(boundary: number, batch: number): Promise<Float32Array> {
    return this.#states[boundary]![batch]!;
  }

  release(): void {}

  async close(): Promise<void> {}
}

/**
 * States that are put by at each boundary. On the way forth the two vectors of each micro-batch that the gradients need later
 * take turns; on the way back a state is read while the one before it is worked with.
 */
export class StatesPutBy implements StepStates {
  /** What of the boundary before is still being kept. */
  #saving: Promise<unknown> = Promise.resolve();
  readonly #reading = new Map<number, Promise<Float32Array>>();

  private constructor(
    private readonly store: BoundaryStore,
    private readonly sizes: BoundarySizes,
    readonly gradients: Gradients,
    private readonly free: Float32Array[],
  ) {}

  static async make(store: BoundaryStore, sizes: BoundarySizes): Promise<StatesPutBy> {
    const some = (count: number) => Promise.all(Array.from({ length: count }, () => store.memory()));
    const [from, to] = [await some(sizes.batches), await some(sizes.batches)];
    return new StatesPutBy(store, sizes, [from, to], await some(2));
  }

  get places(): readonly Float32Array[] {
    return this.gradients.flat();
  }

  rows(batch: number): Float32Array {
    return this.#turn(0, batch);
  }

  state(layer: number, batch: number): Float32Array {
    return this.#turn(1 + layer, batch);
  }

  hidden(batch: number): Float32Array {
    return this.#turn(this.sizes.boundaries, batch);
  }

  async passed(boundary: number): Promise<void> {
    // The part that comes next writes over the boundary before.
    await this.#saving;
    const { boundaries, batches } = this.sizes;
    if (boundary === boundaries) return;
    const all = Array.from({ length: batches }, (_, b) => this.store.save(this.#turn(boundary, b), boundary, b));
    this.#saving = Promise.all(all);
    // Who waits for it hears of a failure; until then nobody may.
    this.#saving.catch(() => {});
  }

  async before(boundary: number, batch: number): Promise<Float32Array> {
    const { batches } = this.sizes;
    const state = this.#read(boundary, batch);
    this.#reading.delete(boundary * batches + batch);
    const next = batch + 1 < batches ? ([boundary, batch + 1] as const) : ([boundary - 1, 0] as const);
    if (next[0] >= 0) this.#read(...next).catch(() => {});
    return state;
  }

  release(state: Float32Array): void {
    this.free.push(state);
  }

  close(): Promise<void> {
    return this.store.close();
  }

  #read(boundary: number, batch: number): Promise<Float32Array> {
    const number = boundary * this.sizes.batches + batch;
    let reading = this.#reading.get(number);
    if (!reading) {
      const state = this.free.pop();
      if (!state) throw new Error('three states are read at once: one was not given back');
      reading = this.store.load(state, boundary, batch).then(() => state);
      this.#reading.set(number, reading);
    }
    return reading;
  }

  /** The last is where the gradients will be that come after the head's: it is not needed any more then. */
  #turn(boundary: number, batch: number): Float32Array {
    return this.gradients[(this.sizes.boundaries - boundary) % 2 === 0 ? 1 : 0][batch]!;
  }
}
