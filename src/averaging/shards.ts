import { crc32 } from 'node:zlib';

/** Elements of the model's vector that one replica sums: from `start` up to, not including, `end`. */
export interface Shard {
  readonly start: number;
  readonly end: number;
}

/**
 * Cuts a vector of `size` elements into as many shards as there are replicas, their sizes at most 1 apart.
 *
 * @param whole what is not to be cut, such as matrices that are trained as one: a cut that would go through one of these,
 * which do not overlap, is made at its nearer end
 */
export function cutShards(size: number, replicas: number, whole: readonly Shard[] = []): Shard[] {
  const cuts = Array.from({ length: replicas + 1 }, (_, i) => {
    const cut = Math.floor((i * size) / replicas);
    const inside = whole.find(({ start, end }) => start < cut && cut < end);
    if (inside === undefined) return cut;
    return cut - inside.start < inside.end - cut ? inside.start : inside.end;
  });
  return cuts.slice(1).map((end, i) => ({ start: cuts[i]!, end }));
}

/**
 * Tells whether two threads of one process hold the same bits; not a hash against tampering. CRC-32 takes a third of the
 * time of SHA-256, and it is computed every round.
 */
export function hashShard(vector: Float32Array, { start, end }: Shard): string {
  const bytes = new Uint8Array(vector.buffer, vector.byteOffset + 4 * start, 4 * (end - start));
  return crc32(bytes).toString(16).padStart(8, '0');
}

/** The hash of a vector out of those of its shards, in order. */
export function joinHashes(hashes: readonly string[]): string {
  return hashes.join('-');
}

/** {@link joinHashes} of all shards of a vector. */
export function hashVector(vector: Float32Array, shards: readonly Shard[]): string {
  return joinHashes(shards.map((shard) => hashShard(vector, shard)));
}
