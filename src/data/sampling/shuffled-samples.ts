import { UsageError } from '../../base/errors.js';
import { Permutation } from './permutation.js';
import type { SampleSource } from './sample-source.js';

/** Samples that can be told apart by a number: an array, or what makes or reads one when it is asked for. */
export interface SampleList<Sample> {
  readonly length: number;
  /** The sample of a number from 0 to `length` − 1; the same whenever it is asked for. */
  at(index: number): Sample | undefined;
}

/** The samples of a list, each once an epoch, in a new pseudo-random order every time. */
export class ShuffledSamples<Sample> implements SampleSource<Sample> {
  readonly samplesPerEpoch: number;
  readonly order: { readonly seed: number; readonly samples: number };
  #epoch: { readonly number: number; readonly order: Permutation } | undefined;

  /** @throws UsageError when there is no sample */
  constructor(
    private readonly samples: SampleList<Sample>,
    seed: number,
  ) {
    if (samples.length < 1) throw new UsageError('There is no sample to learn from: expected one or more.');
    this.samplesPerEpoch = samples.length;
    this.order = { seed, samples: samples.length };
  }

  sample(epoch: number, place: number): Sample {
    if (this.#epoch?.number !== epoch) {
      const order = new Permutation(this.samplesPerEpoch, this.order.seed, 'samples', epoch);
      this.#epoch = { number: epoch, order };
    }
    return this.samples.at(this.#epoch.order.at(place)) as Sample;
  }
}
