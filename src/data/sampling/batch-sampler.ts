import { MeanfieldError } from '../../base/errors.js';
import type { SampleSource } from './sample-source.js';

/** What a {@link BatchSampler} draws from and how. */
export interface BatchSamplerOptions<Sample> {
  readonly source: SampleSource<Sample>;
  /** Samples in a micro-batch of one replica. */
  readonly batchSize: number;
  /** Which of the replicas this is, from 0. */
  readonly replica?: number;
  /** How many replicas there are. */
  readonly worldSize?: number;
}

/** A sampler's place; JSON. */
export interface SamplerState {
  /** Micro-batches drawn so far. */
  microBatches: number;
  /** What the order depends on, so that a place in another order is not taken for one in this. */
  order: Record<string, number>;
}

/**
 * Draws training samples in the order of their source. Micro-batch k of replica r of W takes the places
 * (k·W + r)·batchSize and on in the endless order of all epochs, so replicas never share a sample, and together see
 * exactly what one replica with W times the batch sees.
 */
export class BatchSampler<Sample> {
  readonly #options: Required<BatchSamplerOptions<Sample>>;
  #microBatches = 0;

  constructor(options: BatchSamplerOptions<Sample>) {
    this.#options = { replica: 0, worldSize: 1, ...options };
    const { batchSize, replica, worldSize } = this.#options;
    for (const [name, value] of Object.entries({ batchSize, worldSize })) {
      if (!Number.isInteger(value) || value < 1)
        throw new RangeError(`${name} must be an integer of 1 or more, not ${value}.`);
    }
    if (!Number.isInteger(replica) || replica < 0 || replica >= worldSize) {
      throw new RangeError(`replica must be an integer from 0 to ${worldSize - 1}, not ${replica}.`);
    }
  }

  /** The next micro-batch: `batchSize` samples. */
  next(): Sample[] {
    const { source, batchSize, replica, worldSize } = this.#options;
    const first = (this.#microBatches * worldSize + replica) * batchSize;
    const batch = Array.from({ length: batchSize }, (_, i) => {
      const place = first + i;
      return source.sample(Math.floor(place / source.samplesPerEpoch), place % source.samplesPerEpoch);
    });
    this.#microBatches++;
    return batch;
  }

  /** Where it is; {@link restore} goes on from there bit for bit. */
  get state(): SamplerState {
    return { microBatches: this.#microBatches, order: { ...this.#options.source.order } };
  }

  /** @throws MeanfieldError when the state is of other samples or another order */
  restore(state: SamplerState): void {
    const own = this.#options.source.order;
    for (const name of Object.keys(own)) {
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
}
