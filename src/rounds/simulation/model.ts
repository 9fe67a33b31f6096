/**
 * A model small enough that a simulated run costs nothing and still diverges visibly: one 32-bit number a fragment. Every
 * operation mixes all its inputs, in order, and no two histories end at the same value by luck.
 */
export type ModelParameters = readonly number[];

/** A contribution as it is summed. */
export interface Weighed {
  readonly value: number;
  readonly weight: number;
}

/** Parameters that a run starts from. */
export function initialModel(fragments: number): ModelParameters {
  return Array.from({ length: fragments }, (_, fragment) => 0x5eed + fragment);
}

/** Local parameters after a worker's inner steps of a round. */
export function trainModel(local: ModelParameters, worker: string, round: number, steps: number): ModelParameters {
  let seed = mix(round, steps);
  for (let i = 0; i < worker.length; i++) seed = mix(seed, worker.charCodeAt(i));
  return local.map((value) => mix(value, seed));
}

/** A fragment's pseudo-gradient. */
export function differenceOf(committed: ModelParameters, local: ModelParameters, fragment: number): number {
  return mix(committed[fragment]!, local[fragment]!);
}

/** A shard of all contributions as one; their order matters, as it does in floating point. */
export function sumShard(contributions: readonly Weighed[], shard: number): number {
  return contributions.reduce((h, { value, weight }) => mix(mix(h, value), weight), mix(shard, contributions.length));
}

/** The outer step: a fragment with a round's result, by shard. */
export function stepModel(base: ModelParameters, fragment: number, sums: readonly number[]): ModelParameters {
  return withFragment(base, fragment, sums.reduce(mix, base[fragment]!));
}

export function withFragment(parameters: ModelParameters, fragment: number, value: number): ModelParameters {
  return parameters.map((own, i) => (i === fragment ? value : own));
}

export function hashModel(parameters: ModelParameters): string {
  let hash = '';
  for (const value of parameters) hash += value.toString(16).padStart(8, '0');
  return hash;
}

/** Local parameters drawn to committed ones. */
export function mixModel(local: ModelParameters, committed: ModelParameters, fragment: number): ModelParameters {
  return withFragment(local, fragment, mix(local[fragment]!, committed[fragment]!));
}

function mix(h: number, x: number): number {
  let y = Math.imul(h ^ (x + 0x9e3779b9), 0x21f0aaad);
  y = Math.imul(y ^ (y >>> 15), 0x735a2d97);
  return (y ^ (y >>> 16)) >>> 0;
}
