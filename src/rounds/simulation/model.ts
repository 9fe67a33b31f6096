/**
 * A model small enough to be one 32-bit number, so that a simulated run costs nothing and still diverges visibly: every
 * operation mixes all its inputs, in order, and no two histories end at the same value by luck.
 */
export type ModelParameters = number;

/** The pseudo-gradient of a worker's inner steps. */
export function trainModel(base: ModelParameters, worker: string, round: number, steps: number): number {
  let h = mix(base, round);
  h = mix(h, steps);
  for (let i = 0; i < worker.length; i++) h = mix(h, worker.charCodeAt(i));
  return h;
}

/** The outer step over weighted pseudo-gradients; their order matters, as it does in floating point. */
export function mergeModel(
  base: ModelParameters,
  contributions: readonly { readonly value: number; readonly tokens: number }[],
): ModelParameters {
  return contributions.reduce((h, { value, tokens }) => mix(mix(h, value), tokens), mix(base, contributions.length));
}

export function hashModel(parameters: ModelParameters): string {
  return parameters.toString(16).padStart(8, '0');
}

function mix(h: number, x: number): number {
  let y = Math.imul(h ^ (x + 0x9e3779b9), 0x21f0aaad);
  y = Math.imul(y ^ (y >>> 15), 0x735a2d97);
  return (y ^ (y >>> 16)) >>> 0;
}
