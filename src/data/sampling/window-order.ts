import { Random } from '../../base/random.js';
import { requireWindow } from '../shards/token-source.js';
import { Permutation } from './permutation.js';

/** What the order of training windows depends on. */
export interface WindowOrderOptions {
  /** Tokens of the text. */
  readonly tokens: number;
  /** Tokens that the model sees; a window has one more, the last one's target. */
  readonly context: number;
  readonly seed: number;
}

/**
 * The order in which training windows come. In every epoch the text is cut, from a new random place on, into windows
 * that overlap by the one token that is the last target of one and the first input of the next; they come in a new
 * pseudo-random order.
 */
export class WindowOrder {
  readonly #options: WindowOrderOptions;
  /** The same in every epoch, whatever its offset, so that any place in the order can be found at once. */
  readonly windowsPerEpoch: number;
  #epoch: { number: number; offset: number; order: Permutation } | undefined;

  /** @throws MeanfieldError when there is not one window of `context` + 1 tokens */
  constructor(options: WindowOrderOptions) {
    const { tokens, context } = options;
    requireWindow({ length: tokens }, context);
    this.#options = options;
    this.windowsPerEpoch = Math.max(1, Math.floor((tokens - context) / context));
  }

  /** The first token of the window at a place, below {@link windowsPerEpoch}, of an epoch's order. */
  start(epoch: number, place: number): number {
    const { tokens, context, seed } = this.#options;
    if (this.#epoch?.number !== epoch) {
      const slack = tokens - 1 - this.windowsPerEpoch * context;
      const offset = new Random(seed, 'epoch', epoch).below(Math.min(slack, context - 1) + 1);
      this.#epoch = { number: epoch, offset, order: new Permutation(this.windowsPerEpoch, seed, 'order', epoch) };
    }
    return this.#epoch.offset + this.#epoch.order.at(place) * context;
  }
}
