import { MeanfieldError } from '../../base/errors.js';
import type { TokenSource } from '../shards/token-source.js';
import { WindowOrder } from './window-order.js';

/** What a {@link BatchSampler} draws from and how. */
export interface SamplerOptions {
  tokens: TokenSource;
  /** Tokens that the model sees; a sample has one more, the last one's target. */
  context: number;
  /** Samples in a micro-batch of one replica. */
  batchSize: number;
  seed: number;
  /** Which of the replicas this is, from 0. */
  replica?: number;
  /** How many replicas there are. */
  worldSize?: number;
}

/** A sampler's place; JSON. */
export interface SamplerState {
  /** Micro-batches drawn so far. */
  microBatches: number;
  /** What the order depends on, so that a place in another order is not taken for one in this. */
  order: { seed: number; context: number; tokens: number };
}

/**
 * Draws training samples in the order of {@link WindowOrder}. Micro-batch k of replica r of W takes the places (k·W + r)·batchSize and on in the endless order of all epochs, so
 * replicas never share a window, and together see exactly what one replica with W times the batch sees.
 */
export class BatchSampler {
  readonly #options: Required<SamplerOptions>;
  readonly #order: WindowOrder;
  #microBatches = 0;

  /** @throws MeanfieldError when there is not one window of `context` + 1 tokens */
  constructor(options: SamplerOptions) {
    this.#options = { replica: 0, worldSize: 1, ...options };
    const { tokens, context, batchSize, seed, replica, worldSize } = this.#options;
    for (const [name, value] of Object.entries({ context, batchSize, worldSize })) {
      if (!Number.isInteger(value) || value < 1)
        throw new RangeError(`${name} must be an integer of 1 or more, not ${value}.`);
    }
    if (!Number.isInteger(replica) || replica < 0 || replica >= worldSize) {
      throw new RangeError(`replica must be an integer from 0 to ${worldSize - 1}, not ${replica}.`);
    }
    this.#order = new WindowOrder({ tokens: tokens.length, context, seed });
  }

  /** Windows of the whole text in one epoch. */
  get windowsPerEpoch(): number {
    return this.#order.windowsPerEpoch;
  }

  /** The next micro-batch: `batchSize` rows of `context` + 1 token ids, one after the other. */
  next(): Int32Array {
    const { tokens, context, batchSize, replica, worldSize } = this.#options;
    const batch = new Int32Array(batchSize * (context + 1));
    const first = (this.#microBatches * worldSize + replica) * batchSize;
    for (let row = 0; row < batchSize; row++) {
      tokens.read(this.#windowStart(first + row), context + 1, batch, row * (context + 1));
    }
    this.#microBatches++;
    return batch;
  }

  /** Where it is; {@link restore} goes on from there bit for bit. */
  get state(): SamplerState {
    const { seed, context, tokens } = this.#options;
    return { microBatches: this.#microBatches, order: { seed, context, tokens: tokens.length } };
  }

  /** @throws MeanfieldError when the state is of another text, context or seed */
  restore(state: SamplerState): void {
    const own = this.state.order;
    for (const name of ['seed', 'context', 'tokens'] as const) {
      if (state.order?.[name] === own[name]) continue;
      throw new MeanfieldError(
        `The saved place in the data has ${name} ${state.order?.[name]}, this run has ${own[name]}: it cannot go on from there.`,
      );
    }
    if (!Number.isSafeInteger(state.microBatches) || state.microBatches < 0) {
      throw new MeanfieldError(`The saved place in the data is damaged: microBatches is ${state.microBatches}.`);
    }
    this.#microBatches = state.microBatches;
  }

  /** The first token of the window at a place in the endless order. */
  #windowStart(place: number): number {
    const { windowsPerEpoch } = this.#order;
    return this.#order.start(Math.floor(place / windowsPerEpoch), place % windowsPerEpoch);
  }
}
