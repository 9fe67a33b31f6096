/*
 * Sections of a model whose state is shared out between ranks (ZeRO, arXiv 1910.02054): of each section a rank has its shard of
 * the gradient and of the moments, and in stage 3 of the parameters too.
 */
import type { Engine, SessionOptions } from '../../../engine/engine.js';
import { AdamwUpdate, type StepNumbers, type UpdateRange, updateRanges } from '../../adamw.js';
import { RANGE, type Range } from '../../ranges.js';
import type { VectorName } from '../../trained-vectors.js';
import { VectorNorm } from '../../vector-norm.js';
import type { GradientPart, SectionAccess } from '../section-access.js';
import type { Section } from '../sections.js';
import type { SectionOptimizer } from '../streamed-replica.js';
import type { Collective } from './collective.js';

/** What is shared out: with 2 gradients and moments, with 3 parameters as well. */
export type ZeroStage = 2 | 3;

/** What sections are shared out by. */
export interface ShardedOptions {
  readonly stage: ZeroStage;
  readonly collective: Collective;
  readonly engine: Engine;
  /** Its moments in float32. */
  readonly optimizer: Omit<SectionOptimizer, 'moments'>;
  readonly compile?: SessionOptions;
}

/** The shards of a section, by rank: as even as they can be. */
export function shardsOfSection({ size }: Pick<Section, 'size'>, ranks: number): Range[] {
  const cut = (rank: number) => Math.floor((rank * size) / ranks);
  return Array.from({ length: ranks }, (_, rank) => ({ start: cut(rank), end: cut(rank + 1) }));
}

/** What a rank has of a section. */
interface Share {
  readonly shards: readonly Range[];
  readonly own: Range;
  /** The own part of it, in ranges that take their steps alike. */
  readonly ranges: readonly UpdateRange[];
  /** All of its parameters, where they are not shared out. */
  readonly whole: Float32Array | undefined;
  /** Of the own shard. */
  readonly vectors: Readonly<Record<VectorName, Float32Array>>;
}

/** How a rank comes at sections that are shared out. All ranks go through the same sections in the same order. */
export class ShardedSections implements SectionAccess {
  readonly #shares: readonly Share[];
  readonly #adamw: AdamwUpdate;
  readonly #norm: VectorNorm;
  /** Arrays of the largest section, to be lent again. */
  readonly #free: Float32Array[] = [];
  readonly #largest: number;

  constructor(
    sections: readonly Section[],
    private readonly options: ShardedOptions,
  ) {
    const { stage, collective, engine, optimizer, compile = {} } = options;
    const length = RANGE * (compile.threads ?? 1);
    this.#largest = Math.max(...sections.map(({ size }) => size));
    this.#adamw = new AdamwUpdate(engine, optimizer, compile);
    this.#norm = new VectorNorm(engine, compile);
    this.#shares = sections.map((section) => {
      const shards = shardsOfSection(section, collective.ranks);
      const own = shards[collective.rank]!;
      const gaps = [
        { start: 0, end: own.start },
        { start: own.end, end: section.size },
      ];
      const ranges = [...updateRanges(section, undefined, gaps, length)];
      const whole = stage === 2 ? new Float32Array(section.size) : undefined;
      const shard = () => new Float32Array(own.end - own.start);
      const parameters = whole ? whole.subarray(own.start, own.end) : shard();
      return {
        shards,
        own,
        ranges,
        whole,
        vectors: { parameters, gradient: shard(), moment1: shard(), moment2: shard() },
      };
    });
  }

  async through(
    sections: readonly number[],
    use: ((parameters: Float32Array, section: number) => Promise<void>) | undefined,
    pending?: StepNumbers,
  ): Promise<void> {
    const begin = (section: number | undefined) => {
      if (section === undefined) return undefined;
      const parameters = this.#parameters(section, use !== undefined, pending);
      // Who waits for it hears of a failure; until then nobody may.
      parameters.catch(() => {});
      return parameters;
    };
    let next = begin(sections[0]);
    for (const [i, section] of sections.entries()) {
      const parameters = await next!;
      // Its shards are on their way while this one is worked on.
      next = begin(sections[i + 1]);
      if (!parameters) continue;
      await use?.(parameters, section);
      if (!this.#shares[section]!.whole) this.#free.push(parameters);
    }
  }

  async gradient(
    section: number,
    { again, whole }: GradientPart,
    make: (gradient: Float32Array) => Promise<void>,
  ): Promise<number> {
    const { shards, vectors } = this.#shares[section]!;
    const array = this.#lend(section);
    array.fill(0);
    await make(array);
    if (!again) vectors.gradient.fill(0);
    await this.options.collective.reduce(array, shards, vectors.gradient);
    this.#free.push(array);
    return whole ? this.#norm.squares(vectors.gradient) : 0;
  }

  async squares(here: number): Promise<number> {
    const [all] = await this.options.collective.sum([here]);
    return all!;
  }

  async settle(): Promise<void> {}

  /** This rank's shard of what a section has, itself. Of parameters that are not shared out, all. */
  shard(section: number, vector: VectorName): Float32Array {
    const { whole, vectors } = this.#shares[section]!;
    return vector === 'parameters' && whole ? whole : vectors[vector];
  }

  /** Where {@link shard} lies in its section. */
  place(section: number, vector: VectorName): Range {
    const { whole, own } = this.#shares[section]!;
    return vector === 'parameters' && whole ? { start: 0, end: whole.length } : own;
  }

  async close(): Promise<void> {
    await this.#adamw.dispose();
    await this.#norm.dispose();
  }

  /** A section's parameters, with a step taken first. @param used whether they are wanted here; else they may come to nothing */
  async #parameters(section: number, used: boolean, pending?: StepNumbers): Promise<Float32Array | undefined> {
    const { shards, whole, vectors } = this.#shares[section]!;
    if (pending) await this.#take(section, pending);
    if (whole ? !pending : !used) return whole;
    const into = whole ?? this.#lend(section);
    await this.options.collective.gather(vectors.parameters, shards, into);
    return into;
  }

  /** AdamW's step of the own shard. */
  async #take(section: number, numbers: StepNumbers): Promise<void> {
    const { own, ranges, vectors } = this.#shares[section]!;
    for (const range of ranges) {
      const part = (vector: Float32Array) => vector.subarray(range.start - own.start, range.end - own.start);
      const { parameters, gradient, moment1, moment2 } = vectors;
      const parts = {
        ...{ parameters: part(parameters), gradient: part(gradient) },
        ...{ moment1: part(moment1), moment2: part(moment2) },
      };
      await this.#adamw.run(parts, range, numbers, section);
    }
  }

  #lend(section: number): Float32Array {
    const array = this.#free.pop() ?? new Float32Array(this.#largest);
    // Views of one buffer: what was lent as a small section is lent as a large one again.
    return new Float32Array(array.buffer, 0, this.#shares[section]!.shards.at(-1)!.end);
  }
}
