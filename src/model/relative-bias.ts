/*
 * Positions as T5 has them (arXiv 1910.10683 §2.1): a learned number for each head and bucket of distances, added to
 * attention's scores. Shape suffixes: R buckets; H heads; T queries; S keys.
 */
import { constant, gather, reshape, type Tensor, transpose } from '../graph/index.js';

/** What a layer adds to attention's scores by how far a key stands from its query. */
export interface RelativeBias {
  /** [R, H]. */
  readonly table_RH: Tensor;
  /** The row of a distance: the key's position less the query's. */
  bucket(distance: number): number;
  /** From which distance on, either way, all have one bucket. */
  readonly farthest: number;
}

/** How distances share buckets. */
export interface Buckets {
  /** R. */
  readonly count: number;
  /** From where on all distances share one. */
  readonly farthest: number;
  /** Whether keys may come after their query: then half of the buckets are for those. */
  readonly bothWays: boolean;
}

/**
 * The bucket of a distance, as Mesh TensorFlow and Python transformers compute it: half of them for one distance each,
 * half for ranges that grow by a factor up to the farthest.
 */
export function bucketOf(distance: number, { count, farthest, bothWays }: Buckets): number {
  const own = bothWays ? Math.floor(count / 2) : count;
  const first = bothWays && distance > 0 ? own : 0;
  const far = bothWays ? Math.abs(distance) : Math.max(0, -distance);
  const exact = Math.floor(own / 2);
  if (far < exact) return first + far;
  // In float32, as the published program has it: a distance on a border falls to the same side.
  const ratio = Math.fround(Math.fround(Math.log(Math.fround(far / exact))) / Math.log(farthest / exact));
  return first + Math.min(own - 1, exact + Math.trunc(Math.fround(ratio * (own - exact))));
}

/** Of a table: what its layers share. */
const known = new WeakMap<Tensor, Map<string, Tensor>>();

/** The bias of T queries and S keys that both begin at position 0: [H, T, S]. */
export function relativeBias({ table_RH, bucket }: RelativeBias, T: number, S: number): Tensor {
  const key = `${T} ${S}`;
  const made = known.get(table_RH) ?? new Map<string, Tensor>();
  known.set(table_RH, made);
  const old = made.get(key);
  if (old) return old;
  const buckets = BigInt64Array.from({ length: T * S }, (_, i) => BigInt(bucket((i % S) - Math.floor(i / S))));
  const bias_HTS = biasOf(table_RH, constant(buckets, [T * S]), T, S);
  made.set(key, bias_HTS);
  return bias_HTS;
}

/** The bias by the buckets of each query and key, [T · S] int64: [H, T, S]. */
export function biasOf(table_RH: Tensor, buckets: Tensor, T: number, S: number): Tensor {
  return reshape(transpose(gather(table_RH, buckets), [1, 0]), [table_RH.shape[1]!, T, S]);
}
