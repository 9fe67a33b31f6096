import type { FactorType } from './types.js';

/**
 * Bytes that a run of {@link runLinpack} holds: the matrix in fp64, for HPL-MxP its factors in fp32 beside it, and each
 * thread's panels (two shared, a copy, and twice a panel to factor in).
 */
export function linpackBytes(n: number, nb: number, threads: number, type: FactorType): number {
  const element = type === 'float64' ? 8 : 4;
  const matrix = 8 * n * (n + 1) + (type === 'float64' ? 0 : 4 * n * (n + 1));
  const panels = element * n * Math.min(n, nb) * (2 + 3 * threads);
  // ONNX Runtime and Node themselves, a thread.
  return matrix + panels + threads * 60e6;
}
