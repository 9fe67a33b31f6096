import type { AveragingMethod, OuterPrecision } from './types.js';

/** Elements that share one fp32 scale when a change is quantised. */
const BLOCK = 256;

const BYTES: Readonly<Record<OuterPrecision, number>> = {
  fp32: 4,
  bf16: 2,
  int8: 1 + 4 / BLOCK,
  int4: 0.5 + 4 / BLOCK,
};

/**
 * Bytes of what one replica contributes to a round.
 *
 * AdamW's moments travel in bf16 at the least: their quotient is a step, and 4 bits of a second moment are often 0.
 */
export function contributionBytes(parameters: number, method: AveragingMethod): number {
  const change = parameters * BYTES[method.outerPrecision];
  const moments = (method.vectors - 1) * parameters * Math.max(BYTES[method.outerPrecision], BYTES.bf16);
  return change + moments;
}

/**
 * Bytes that a replica sends when `replicas` average a contribution by reduce-scatter and all-gather; it receives as
 * many. This is the least that any algorithm needs: 2 (M − 1) / M of the contribution (Patarasuk and Yuan 2009).
 */
export function exchangeBytes(contribution: number, replicas: number): number {
  return (2 * contribution * (replicas - 1)) / replicas;
}
