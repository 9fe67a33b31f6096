import { MeanfieldError } from '../../base/errors.js';
import type { SampleSource } from '../sampling/sample-source.js';
import type { EpochRange } from './ledger.js';
import { countOf } from './ranges.js';

/** Gives the samples that a lease names, in the order of the lease: those of BatchSampler with the same source. */
export class RangeSampler<Sample> {
  #ranges: readonly EpochRange[] = [];
  /** Which of the ranges is being read, and how many of its samples have been. */
  #at = 0;
  #read = 0;
  #remaining = 0;

  constructor(private readonly source: SampleSource<Sample>) {}

  /** Samples that {@link nextBatch} has left. */
  get remaining(): number {
    return this.#remaining;
  }

  /** The epoch and the number in it of the sample that comes next, which nobody else is given. */
  get next(): readonly [epoch: number, number: number] {
    const { epoch, start } = this.#ranges[this.#at]!;
    return [epoch, start + this.#read];
  }

  /**
   * From here on it reads these, and nothing of the last ones any more.
   *
   * @throws MeanfieldError when a range is not of these samples
   */
  assign(ranges: readonly EpochRange[]): void {
    for (const { epoch, start, end } of ranges) {
      const whole = [epoch, start, end].every((n) => Number.isSafeInteger(n) && n >= 0);
      if (whole && start < end && end <= this.source.samplesPerEpoch) continue;
      throw new MeanfieldError(
        `Samples ${start} to ${end} of epoch ${epoch} were leased, but this text has 0 to ${this.source.samplesPerEpoch} an epoch: ` +
          'the data here and at the coordinator differ.',
      );
    }
    this.#ranges = ranges;
    this.#at = 0;
    this.#read = 0;
    this.#remaining = countOf(ranges);
  }

  /** @throws Error when fewer {@link remaining | remain} */
  nextBatch(batchSize: number): Sample[] {
    if (batchSize > this.#remaining) throw new Error(`${batchSize} samples wanted, ${this.#remaining} leased`);
    const batch = Array.from({ length: batchSize }, () => {
      const { epoch, start, end } = this.#ranges[this.#at]!;
      const sample = this.source.sample(epoch, start + this.#read);
      if (start + ++this.#read === end) {
        this.#at++;
        this.#read = 0;
      }
      return sample;
    });
    this.#remaining -= batchSize;
    return batch;
  }
}
