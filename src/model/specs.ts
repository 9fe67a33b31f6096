import type { ParameterSpec } from './layout.js';

/**
 * Parameters as PyTorch's layers have them: matrices begin as samples of N(0, std²), biases with 0, norms with 1.
 *
 * @param cutoff none of the samples is farther from 0 than so many deviations; without it, however far
 */
export function specs(std: number, cutoff?: number) {
  const matrix = (name: string, rows: number, columns: number): ParameterSpec => ({
    name: `${name}.weight`,
    shape: [rows, columns],
    initialization: { normal: std, ...(cutoff !== undefined && { cutoff }) },
  });
  const vector = (name: string, size: number, fill: number): ParameterSpec => ({
    name,
    shape: [size],
    initialization: { fill },
  });
  return {
    matrix,
    /** The bias of a layer, [size]. */
    bias: (name: string, size: number): ParameterSpec => vector(`${name}.bias`, size, 0),
    /** A Linear: `name.weight` [outputs, inputs] and `name.bias`. */
    dense: (name: string, outputs: number, inputs: number, { bias = true } = {}): ParameterSpec[] => [
      matrix(name, outputs, inputs),
      ...(bias ? [vector(`${name}.bias`, outputs, 0)] : []),
    ],
    /** A LayerNorm. */
    norm: (name: string, size: number, { bias = true } = {}): ParameterSpec[] => [
      vector(`${name}.weight`, size, 1),
      ...(bias ? [vector(`${name}.bias`, size, 0)] : []),
    ],
  };
}
