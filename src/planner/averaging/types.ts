/** Number formats in which a replica's change travels, widest first. */
export const OUTER_PRECISIONS = ['fp32', 'bf16', 'int8', 'int4'] as const;

/**
 * Number formats in which a replica's change travels.
 *
 * @category Planning a machine
 */
export type OuterPrecision = (typeof OUTER_PRECISIONS)[number];

/**
 * How replicas are averaged (local SGD, arXiv 1805.09767; DiLoCo, arXiv 2311.08105; streaming, arXiv 2501.18512).
 *
 * @category Planning a machine
 */
export interface AveragingMethod {
  /** Inner steps between two averages of the same parameter. */
  readonly innerSteps: number;
  readonly outerPrecision: OuterPrecision;
  /** Vectors of the model's size that travel: 1 the change of the parameters, 3 with both of AdamW's moments. */
  readonly vectors: 1 | 3;
  /** Parts of the model that are averaged at different steps of a round; 1: all at its end. */
  readonly fragments: number;
  /** Steps that a replica goes on computing while a fragment travels; 0: it waits. At most `innerSteps / fragments`. */
  readonly overlapSteps: number;
}

/**
 * What of the network a replica has to the others.
 *
 * @category Planning a machine
 */
export interface ReplicaLink {
  /** Bytes a second and direction. */
  readonly bandwidth: number;
  /** Seconds of a message. */
  readonly latency: number;
}

/**
 * A round of averaging, as it is predicted.
 *
 * @category Planning a machine
 */
export interface RoundTime {
  /** Seconds of the whole round, from one average of a parameter to its next. */
  readonly seconds: number;
  /** Of these, inner steps. */
  readonly compute: number;
  /** Of these, waiting for the average. */
  readonly exposed: number;
  /** Seconds that the exchange takes by itself, hidden or not. */
  readonly exchange: number;
  /** Bytes that a replica sends in a round; it receives as many. */
  readonly bytes: number;
  /** Bytes a second that the exchange would need so as never to be waited for. */
  readonly bandwidthToHide: number;
  /** compute / seconds. */
  readonly utilization: number;
}
