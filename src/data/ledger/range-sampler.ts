import { MeanfieldError } from '../../base/errors.js';
import { WindowOrder } from '../sampling/window-order.js';
import type { TokenSource } from '../shards/token-source.js';
import type { EpochRange } from './ledger.js';
import { countOf } from './ranges.js';

/** What a {@link RangeSampler} reads, and the order that ranges are of. */
export interface RangeSamplerOptions {
  readonly tokens: TokenSource;
  /** Tokens that the model sees; a sample has one more, the last one's target. */
  readonly context: number;
  readonly seed: number;
}

/** Reads the samples that a lease names, in the order of the lease: the windows of BatchSampler with the same options. */
export class RangeSampler {
  readonly #options: RangeSamplerOptions;
  readonly #order: WindowOrder;
  #ranges: readonly EpochRange[] = [];
  /** Which of the ranges is being read, and how many of its samples have been. */
  #at = 0;
  #read = 0;
  #remaining = 0;

  /** @throws MeanfieldError when there is not one window of `context` + 1 tokens */
  constructor(options: RangeSamplerOptions) {
    const { tokens, context, seed } = options;
    this.#options = options;
    this.#order = new WindowOrder({ tokens: tokens.length, context, seed });
  }

  /** Samples of an epoch: what a ledger counts. */
  get samples(): number {
    return this.#order.windowsPerEpoch;
  }

  /** Samples that {@link nextBatch} has left. */
  get remaining(): number {
    return this.#remaining;
  }

  /**
   * From here on it reads these, and nothing of the last ones any more.
   *
   * @throws MeanfieldError when a range is not of this text
   */
  assign(ranges: readonly EpochRange[]): void {
    for (const { epoch, start, end } of ranges) {
      const whole = [epoch, start, end].every((n) => Number.isSafeInteger(n) && n >= 0);
      if (whole && start < end && end <= this.samples) continue;
      throw new MeanfieldError(
        `Samples ${start} to ${end} of epoch ${epoch} were leased, but this text has 0 to ${this.samples} an epoch: ` +
          'the data here and at the coordinator differ.',
      );
    }
    this.#ranges = ranges;
    this.#at = 0;
    this.#read = 0;
    this.#remaining = countOf(ranges);
  }

  /**
   * The next samples: `batchSize` rows of `context` + 1 token ids, one after the other.
   *
   * @throws Error when fewer {@link remaining | remain}
   */
  nextBatch(batchSize: number): Int32Array {
    if (batchSize > this.#remaining) throw new Error(`${batchSize} samples wanted, ${this.#remaining} leased`);
    const { tokens, context } = this.#options;
    const batch = new Int32Array(batchSize * (context + 1));
    for (let row = 0; row < batchSize; row++) {
      const { epoch, start, end } = this.#ranges[this.#at]!;
      tokens.read(this.#order.start(epoch, start + this.#read), context + 1, batch, row * (context + 1));
      if (start + ++this.#read < end) continue;
      this.#at++;
      this.#read = 0;
    }
    this.#remaining -= batchSize;
    return batch;
  }
}
