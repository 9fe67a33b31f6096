import type { HostArrays } from '../engine/engine.js';
import type { OptimizerVectors, StepReport } from './adamw.js';
import { lengthOf, type Moment, type MomentName } from './moments.js';

/** The name of one of a replica's vectors. */
export type VectorName = keyof OptimizerVectors;

/** Where the vectors of a replica are, and how they take a step there. */
export interface TrainedVectors {
  /** In this process's memory, as {@link fetch} or {@link adopt} left them. Moments in few bits are of no elements here. */
  readonly vectors: OptimizerVectors;
  /** The moments as they are kept; as with {@link vectors}, `fetch` brings them up to date. */
  readonly moments: Readonly<Record<MomentName, Moment>>;
  /** Makes these its own. */
  adopt(vectors: Partial<OptimizerVectors<Moment>>): void;
  /** Brings `vectors` of these names up to date with what steps have made of them. */
  fetch(names: readonly VectorName[]): Promise<OptimizerVectors>;
  /** The caller has written into `vectors` of these names: what comes next starts from there. */
  changed(names: readonly VectorName[]): void;
  /**
   * The loss of a micro-batch; its gradient is added to those of the step before it.
   *
   * @param i the micro-batch's number in its step
   * @param count of the step's micro-batches
   */
  accumulate(feeds: HostArrays, i: number, count: number): Promise<number>;
  /** AdamW's step with the gradient. @param norm of the whole gradient before it is scaled, where not all of it is here */
  apply(step: number, learningRate: number, scale: number, norm?: number): Promise<StepReport>;
  dispose(): Promise<void>;
}

/** @throws Error when a vector is not as long as the model's, or a moment as what there are moments of */
export function checkVectors(size: number, vectors: Partial<OptimizerVectors<Moment>>, moments = size): void {
  for (const [name, vector] of Object.entries(vectors)) {
    const length = lengthOf(vector);
    const expected = name === 'moment1' || name === 'moment2' ? moments : size;
    if (length !== expected) throw new Error(`${name} has ${length} elements; the model has ${expected}`);
  }
}
