import { sha256 } from '../base/hash.js';
import type { Fragment } from './fragments.js';
import type { Shard } from './shards.js';

/** Vectors that all machines of a run agree on, to the bit. */
export interface CommittedVectors {
  readonly parameters: Float32Array;
  /** Of the outer optimiser; null where it has none. */
  readonly momentum: Float32Array | null;
  /** Of AdamW; null where they are not averaged. */
  readonly moments: readonly [Float32Array, Float32Array] | null;
}

/** The committed vectors of one machine, with their hash. */
export class CommittedModel {
  readonly vectors: CommittedVectors;
  readonly #fragments: readonly Fragment[];
  /** By fragment, shard and vector: only what has changed is hashed again. */
  readonly #hashes: string[][][];

  constructor(size: number, fragments: readonly Fragment[], kinds: { momentum: boolean; moments: boolean }) {
    const vector = () => new Float32Array(size);
    this.vectors = {
      parameters: vector(),
      momentum: kinds.momentum ? vector() : null,
      moments: kinds.moments ? [vector(), vector()] : null,
    };
    this.#fragments = fragments;
    this.#hashes = fragments.map(({ shards }) => shards.map(() => []));
  }

  /** In the order in which they travel. */
  get all(): Float32Array[] {
    const { parameters, momentum, moments } = this.vectors;
    return [parameters, ...(momentum ? [momentum] : []), ...(moments ?? [])];
  }

  /** Copies what is given. @throws Error when there are not as many vectors, or not as long */
  load(vectors: readonly Float32Array[]): void {
    const own = this.all;
    if (vectors.length !== own.length) throw new Error(`expected ${own.length} vectors, got ${vectors.length}`);
    for (const [i, vector] of own.entries()) vector.set(vectors[i]!);
    for (const i of this.#fragments.keys()) this.changed(i);
  }

  /** A fragment's values are others now. */
  changed(fragment: number): void {
    const { shards } = this.#fragments[fragment]!;
    this.#hashes[fragment] = shards.map((shard) => this.all.map((vector) => hashOf(vector, shard)));
  }

  /** Of all vectors: equal hashes mean equal bits. */
  get hash(): string {
    return sha256(JSON.stringify(this.#hashes));
  }
}

function hashOf(vector: Float32Array, { start, end }: Shard): string {
  return sha256(new Uint8Array(vector.buffer, vector.byteOffset + 4 * start, 4 * (end - start)));
}
