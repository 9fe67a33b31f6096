import type { TimeConstants } from '../catalogue/constant-types.js';
import type { Arrangement, Cluster, FrameworkHabits, Workload } from '../types.js';
import { matrixTime, operandBytes, sustainedRate } from './matrix.js';

/** Vocabulary as frameworks pad it: a multiple of 128 on each tensor-parallel rank (Megatron-LM's default). */
export function paddedVocabulary(vocabulary: number, tensor: number): number {
  const step = 128 * tensor;
  return Math.ceil(vocabulary / step) * step;
}

/** Bytes that the loss's passes move for each logit: fused, or in 32 bits pass by pass. */
const lossBytes = (habits: FrameworkHabits): number => (habits.fusedLoss ? 10 : 36);

/** Seconds of the head and the loss for one micro-batch. */
export interface HeadTime {
  readonly matrices: number;
  readonly memory: number;
}

/** Seconds of the head and the loss for one micro-batch on one device of the last stage, forward and backward. */
export function headTime(
  w: Workload,
  cluster: Cluster,
  arrangement: Arrangement,
  habits: FrameworkHabits,
  c: TimeConstants,
): HeadTime {
  const { tensor, precision } = arrangement;
  const card = cluster.accelerator;
  const bandwidth = card.memoryBandwidth * c.memoryEfficiency;
  // The head stays in 16 bits when the layers' products are narrower.
  const format = precision === 'fp8' || precision === 'mxfp8' || precision === 'nvfp4' ? 'bf16' : precision;
  const rate = sustainedRate(card, format, c);
  const bytes = operandBytes[format];
  const T = (arrangement.microBatch * arrangement.sequence) / arrangement.context;
  const V = paddedVocabulary(w.vocabulary, tensor) / tensor;
  const h = w.hidden;
  const matrices =
    matrixTime(T, V, h, 1, rate, bandwidth, bytes, c) +
    matrixTime(T, h, V, 1, rate, bandwidth, bytes, c) +
    matrixTime(h, V, T, 1, rate, bandwidth, bytes, c);
  return { matrices, memory: (T * V * lossBytes(habits)) / bandwidth };
}
