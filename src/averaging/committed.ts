import { sha256 } from '../base/hash.js';
import { MemoryVector, type RangedVector } from '../training/ranged-vector.js';
import type { Fragment } from './fragments.js';
import type { Shard } from './shards.js';

/** Vectors that all machines of a run agree on, to the bit. */
export interface CommittedVectors<V = Float32Array> {
  readonly parameters: V;
  /** Of the outer optimiser; null where it has none. */
  readonly momentum: V | null;
  /** Of AdamW; null where they are not averaged. */
  readonly moments: readonly [V, V] | null;
}

/** The committed vectors of one machine by ranges, with their hash. */
export class CommittedRanges {
  /** By fragment, shard and vector: only what has changed is hashed again. */
  protected readonly hashes: string[][][];

  constructor(
    readonly ranged: CommittedVectors<RangedVector>,
    protected readonly fragments: readonly Fragment[],
  ) {
    this.hashes = fragments.map(({ shards }) => shards.map(() => []));
  }

  /** In the order in which they travel. */
  get inOrder(): RangedVector[] {
    return listOf(this.ranged);
  }

  /** Changes a shard of all vectors: what is given of each, in their order, is changed in place. */
  async update(
    fragment: number,
    shard: number,
    change: (values: readonly Float32Array[]) => Promise<void>,
  ): Promise<void> {
    const range = this.fragments[fragment]!.shards[shard]!;
    const all = this.inOrder;
    const values: Float32Array[] = [];
    for (const vector of all) values.push(await vector.read(range));
    await change(values);
    for (const [i, vector] of all.entries()) await vector.write(range.start, values[i]!);
    this.hashes[fragment]![shard] = values.map(hashOf);
  }

  /** All values are others now. */
  async hashAll(): Promise<void> {
    for (const [i, { shards }] of this.fragments.entries())
      for (const [j, range] of shards.entries()) {
        const hashes: string[] = [];
        for (const vector of this.inOrder) hashes.push(hashOf(await vector.read(range)));
        this.hashes[i]![j] = hashes;
      }
  }

  /** Of all vectors: equal hashes mean equal bits. */
  get hash(): string {
    return sha256(JSON.stringify(this.hashes));
  }
}

/** {@link CommittedRanges} in memory. */
export class CommittedModel extends CommittedRanges {
  readonly vectors: CommittedVectors;

  constructor(size: number, fragments: readonly Fragment[], kinds: { momentum: boolean; moments: boolean }) {
    const vector = () => new Float32Array(size);
    const vectors: CommittedVectors = {
      parameters: vector(),
      momentum: kinds.momentum ? vector() : null,
      moments: kinds.moments ? [vector(), vector()] : null,
    };
    const { parameters, momentum, moments } = vectors;
    super(
      {
        parameters: new MemoryVector(parameters),
        momentum: momentum && new MemoryVector(momentum),
        moments: moments && [new MemoryVector(moments[0]), new MemoryVector(moments[1])],
      },
      fragments,
    );
    this.vectors = vectors;
  }

  /** In the order in which they travel. */
  get all(): Float32Array[] {
    return listOf(this.vectors);
  }

  /** Copies what is given. @throws Error when there are not as many vectors, or not as long */
  load(vectors: readonly Float32Array[]): void {
    const own = this.all;
    if (vectors.length !== own.length) throw new Error(`expected ${own.length} vectors, got ${vectors.length}`);
    for (const [i, vector] of own.entries()) vector.set(vectors[i]!);
    for (const i of this.fragments.keys()) this.changed(i);
  }

  /** A fragment's values are others now. */
  changed(fragment: number): void {
    const { shards } = this.fragments[fragment]!;
    const valuesOf = ({ start, end }: Shard) => this.all.map((vector) => hashOf(vector.subarray(start, end)));
    this.hashes[fragment] = shards.map(valuesOf);
  }
}

function listOf<V>({ parameters, momentum, moments }: CommittedVectors<V>): V[] {
  return [parameters, ...(momentum ? [momentum] : []), ...(moments ?? [])];
}

function hashOf(values: Float32Array): string {
  return sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}
