/** Samples by number: what the order of training is made of, whatever a sample is. */
export interface SampleSource<Sample> {
  /** Samples of one epoch. */
  readonly samplesPerEpoch: number;
  /** What the order depends on: a place that was saved holds in an order of the same values alone. JSON. */
  readonly order: Readonly<Record<string, number>>;
  /** The sample at a place of an epoch's order; the same whenever it is asked for. */
  sample(epoch: number, place: number): Sample;
}
