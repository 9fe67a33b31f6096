import { UsageError } from '../../../base/errors.js';

/** One piece of work of a pipeline stage: a pass of one micro-batch through one of the parts that the device holds. */
export interface Pass {
  readonly kind: 'forward' | 'backward';
  readonly microBatch: number;
  /** Which of the device's parts of the model, from 0. */
  readonly chunk: number;
}

/** The order of a pipeline: how many devices, parts on each of them, and micro-batches. */
export interface ScheduleShape {
  /** Devices in a row, p. */
  readonly stages: number;
  /** Parts of the model that each holds, v; 1: plain 1F1B or GPipe. */
  readonly chunks: number;
  /** m. */
  readonly microBatches: number;
  /** `gpipe`: all forward passes before the first backward one; `1f1b`: one of each in turn, as early as possible. */
  readonly order: 'gpipe' | '1f1b';
}

/**
 * The passes of one device in their order: GPipe (arXiv 1811.06965), 1F1B (PipeDream-Flush, arXiv 2006.09503) or, with
 * more than one chunk, interleaved 1F1B (arXiv 2104.04473, section 2.2.2, in Megatron-LM's order). The shape must have passed
 * {@link checkShape}.
 */
export function passesOf(shape: ScheduleShape, stage: number): Pass[] {
  const { stages: p, chunks: v, microBatches: m, order } = shape;
  const total = m * v;
  const forward = (k: number): Pass => ({ kind: 'forward', ...placeOf(k) });
  const backward = (k: number): Pass => {
    const { microBatch, chunk } = placeOf(k);
    return { kind: 'backward', microBatch, chunk: v - 1 - chunk };
  };
  // The k-th pass: p micro-batches through the first chunk, the same through the next, and so on.
  function placeOf(k: number): { microBatch: number; chunk: number } {
    if (v === 1) return { microBatch: k, chunk: 0 };
    return { microBatch: Math.floor(k / (p * v)) * p + (k % p), chunk: Math.floor((k % (p * v)) / p) };
  }
  const early = order === 'gpipe' ? total : v === 1 ? p - stage - 1 : 2 * (p - stage - 1) + (v - 1) * p;
  const warmup = Math.min(total, early);
  const passes: Pass[] = [];
  for (let k = 0; k < warmup; k++) passes.push(forward(k));
  for (let k = warmup; k < total; k++) passes.push(forward(k), backward(k - warmup));
  for (let k = total - warmup; k < total; k++) passes.push(backward(k));
  return passes;
}

/** @throws UsageError when the numbers make no schedule */
export function checkShape({ stages, chunks, microBatches, order }: ScheduleShape): void {
  for (const [name, value] of Object.entries({ stages, chunks, 'micro-batches': microBatches }))
    if (!Number.isSafeInteger(value) || value < 1)
      throw new UsageError(`A pipeline's number of ${name} must be a whole number from 1; got ${value}.`);
  if (chunks > 1 && order === 'gpipe')
    throw new UsageError(`GPipe has one part of the model a device; got ${chunks}. Use 1f1b with parts interleaved.`);
  if (chunks > 1 && microBatches % stages !== 0)
    throw new UsageError(
      `Interleaving needs micro-batches in multiples of the ${stages} stages; got ${microBatches}. Change the batch, or hold one part a device.`,
    );
}
