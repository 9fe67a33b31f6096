import type { Range } from '../training/ranges.js';
import type { PieceStore } from '../training/streamed/parameter-pieces.js';
import type { Section } from '../training/streamed/sections.js';
import { shardsOfSection, type ZeroStage } from '../training/streamed/sharded/sharded-sections.js';
import type { VectorName } from '../training/trained-vectors.js';
import type { ReplicaHandle } from './replica-thread.js';

/** Sections as who drives the replicas sees them that have their shards: one is put together, or shared out, at a time. */
export class TeamShards implements PieceStore {
  readonly #shards: readonly (readonly Range[])[];

  constructor(
    private readonly replicas: readonly ReplicaHandle[],
    private readonly sections: readonly Section[],
    private readonly stage: ZeroStage,
  ) {
    this.#shards = sections.map((section) => shardsOfSection(section, replicas.length));
  }

  async load(section: number, vector: VectorName): Promise<Float32Array> {
    const whole = new Float32Array(this.sections[section]!.size);
    const asked = this.#isShared(vector) ? this.replicas : this.replicas.slice(0, 1);
    const parts = await Promise.all(asked.map((replica) => replica.ask('shard', { section, vector })));
    for (const [i, { values }] of parts.entries())
      whole.set(values!, this.#isShared(vector) ? this.#shards[section]![i]!.start : 0);
    return whole;
  }

  async save(array: Float32Array, section: number, vector: VectorName): Promise<void> {
    const shards = this.#shards[section]!;
    await Promise.all(
      this.replicas.map((replica, i) => {
        const { start, end } = shards[i]!;
        const values = this.#isShared(vector) ? array.slice(start, end) : array.slice();
        return replica.ask('shard', { section, vector, values });
      }),
    );
  }

  release(): void {}

  async settle(): Promise<void> {}

  #isShared(vector: VectorName): boolean {
    return vector !== 'parameters' || this.stage === 3;
  }
}
