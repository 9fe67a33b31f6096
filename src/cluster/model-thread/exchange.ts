import type { CommittedRanges } from '../../averaging/committed.js';
import { type Codec, createCodec } from '../../averaging/formats/index.js';
import type { Fragment } from '../../averaging/fragments.js';
import { MergeProgram } from '../../averaging/merge.js';
import { exceedsNorm, NORM_RANGE } from '../../averaging/merge-norm.js';
import { OuterStep } from '../../averaging/outer-step.js';
import type { Shard } from '../../averaging/shards.js';
import { VectorSum } from '../../averaging/vector-sum.js';
import { joinBytes } from '../../base/bytes.js';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import type { Engine } from '../../engine/engine.js';
import { arePossible, type MomentsBound, momentsBound } from '../../training/moments-bound.js';
import { rangeOf } from '../../training/muon.js';
import { MemoryVector, type RangedVector } from '../../training/ranged-vector.js';
import type { Range } from '../../training/ranges.js';
import { VectorNorm } from '../../training/vector-norm.js';
import { isFile, sizesOf, withParts } from '../parts.js';
import type { RunSetup } from '../protocol/configuration.js';
import type { ModelCommands } from './commands.js';

/** Not the exchange's numbers but its threads: none that spin while the replica trains. */
const COMPILE = { threads: 1, spinning: false };

/** The vectors of a replica between two rounds, in memory or not; moments where they are averaged. */
export interface LocalVectors {
  readonly parameters: Float32Array | Pick<RangedVector, 'read'>;
  readonly moment1?: Float32Array;
  readonly moment2?: Float32Array;
}

/**
 * What machines do to exchange their work, shard by shard: encode a contribution, reduce contributions, apply a result.
 * A shard travels as the pseudo-gradient and, where they are averaged, both moments, one after the other.
 */
export class Exchange {
  readonly #codecs: readonly Codec[];
  readonly #merge: MergeProgram;
  readonly #outer: OuterStep;
  readonly #sums: VectorSum;
  readonly #norm: VectorNorm;
  readonly #feedback: boolean;
  readonly #residual: RangedVector | undefined;
  readonly #moments: MomentsBound;
  /** Of the elements that Muon trains. */
  readonly #muon: readonly Range[];
  /** Room for the pseudo-gradient of a shard. */
  readonly #gradient: Float32Array;

  constructor(
    engine: Engine,
    private readonly setup: RunSetup,
    private readonly fragments: readonly Fragment[],
    private readonly committed: CommittedRanges,
    /** Where it is kept what rounding has lost, if the format carries that on: of zeros. In memory unless given. */
    residual?: RangedVector,
  ) {
    const { format, momentsFormat, merge } = setup.cluster;
    const gradient = createCodec(engine, format, COMPILE);
    this.#feedback = gradient.feedback;
    if (this.#feedback)
      this.#residual = residual ?? new MemoryVector(new Float32Array(committed.ranged.parameters.length));
    this.#moments = momentsBound(setup.optimizer);
    this.#muon = setup.optimizer.muon?.matrices.map(rangeOf) ?? [];
    const moments = setup.averageMoments ? createCodec(engine, momentsFormat, COMPILE) : undefined;
    this.#codecs = moments ? [gradient, moments, moments] : [gradient];
    this.#merge = new MergeProgram(engine, merge, COMPILE);
    this.#outer = new OuterStep(engine, setup.outer, COMPILE);
    this.#sums = new VectorSum(engine, COMPILE);
    this.#norm = new VectorNorm(engine, { ...COMPILE, length: NORM_RANGE });
    const longest = Math.max(...fragments.flatMap(({ shards }) => shards.map(({ start, end }) => end - start)));
    this.#gradient = new Float32Array(longest);
  }

  /**
   * The replica's contribution to a round of this fragment, by shard, and the Euclidean norm of its pseudo-gradient:
   * where that is not finite there is nothing to contribute.
   *
   * @param put takes each part as it is made; then none is answered
   */
  async encode(
    fragment: number,
    { parameters, moment1, moment2 }: LocalVectors,
    put?: (i: number, part: Uint8Array) => Promise<void>,
  ): Promise<{ norm: number; parts: Uint8Array[] }> {
    const parts: Uint8Array[] = [];
    let squares = 0;
    const base = this.committed.ranged.parameters;
    for (const [i, { start, end }] of this.fragments[fragment]!.shards.entries()) {
      const gradient = this.#gradient.subarray(0, end - start);
      const own = await valuesOf(parameters, { start, end });
      await this.#sums.sum(1, await base.read({ start, end }), -1, own, gradient);
      squares += await this.#norm.squares(gradient);
      if (!Number.isFinite(squares)) return { norm: squares, parts: [] };
      const residual = await this.#residual?.read({ start, end });
      const vectors = [gradient, moment1?.subarray(start, end), moment2?.subarray(start, end)];
      const pieces: Uint8Array[] = [];
      for (const [k, codec] of this.#codecs.entries())
        pieces.push(await codec.encode(vectors[k]!, k === 0 ? residual : undefined));
      if (residual) await this.#residual!.write(start, residual);
      const part = joined(pieces);
      if (put) await put(i, part);
      else parts.push(part);
    }
    return { norm: Math.sqrt(squares), parts };
  }

  /** Merges one shard of all contributions, in their order. */
  async reduce({
    fragment,
    shard,
    parts,
    weights,
    norms,
  }: ModelCommands['reduce'][0]): Promise<ModelCommands['reduce'][1]> {
    const range = this.fragments[fragment]?.shards[shard];
    if (!range) throw new MeanfieldError(`There is no shard ${shard} of fragment ${fragment} in this run's model.`);
    const decoded: Float32Array[][] = [];
    const all: number[] = [];
    for (const [i, part] of parts.entries()) {
      try {
        const vectors = await this.#decode(part, range);
        // Outliers were looked for among the norms that were told (rule 7 of rounds/tick.ts): they must be true.
        const squares = await this.#norm.squares(vectors[0]!);
        if (exceedsNorm(norms[i]!, squares, this.#feedback))
          return { damaged: i, reason: largerThanTold(shard, norms[i]!, squares) };
        decoded.push(vectors);
        all.push(squares);
      } catch (error) {
        if (!(error instanceof MeanfieldError)) throw error;
        return { damaged: i, reason: messageOf(error) };
      }
    }
    const pieces: Uint8Array[] = [];
    for (const [k, codec] of this.#codecs.entries()) {
      const merged = new Float32Array(range.end - range.start);
      await this.#merge.merge(
        decoded.map((vectors) => vectors[k]!),
        weights,
        merged,
      );
      pieces.push(await codec.encode(merged));
    }
    return { merged: joined(pieces), squares: all };
  }

  /**
   * The outer step of a fragment with a round's result.
   *
   * @param onReady called when it is known that the result can be used, before anything changes
   * @throws MeanfieldError when a part cannot be decoded, or is larger than is allowed; nothing has changed then
   */
  async apply(
    { fragment, parts, norms }: ModelCommands['apply'][0],
    onReady: () => void | Promise<void> = () => {},
  ): Promise<void> {
    const shards = this.#shardsOf(fragment, sizesOf(parts).length);
    const { momentum, moments } = this.committed.ranged;
    await withParts(parts, async (part) => {
      const decoded: Float32Array[][] = [];
      for (const [i, range] of shards.entries()) {
        const vectors = await this.#decode(await part(i), range);
        if (norms && exceedsNorm(norms[i]!, await this.#norm.squares(vectors[0]!), this.#feedback))
          throw new MeanfieldError(`The sum of shard ${i} is larger than its contributions allow.`);
        // Of a file they are not all in memory: there they are decoded again.
        if (!isFile(parts)) decoded.push(vectors);
      }
      await onReady();
      for (const [i, range] of shards.entries()) {
        const [gradient, moment1, moment2] = decoded[i] ?? (await this.#decode(await part(i), range));
        await this.committed.update(fragment, i, async ([base, ...others]) => {
          // `average` has no momentum and leaves what it is given alone.
          await this.#outer.apply(base!, momentum ? others[0]! : gradient!, gradient!, base!);
          if (!moments) return;
          const [first, second] = others.slice(momentum ? 1 : 0);
          first!.set(moment1!);
          second!.set(moment2!);
        });
      }
    });
  }

  /**
   * Takes the pseudo-gradient of one contribution off a model's parameters: what its sender came to alone.
   *
   * @returns its Euclidean norm
   * @throws MeanfieldError when it cannot be decoded
   */
  async subtract(fragment: number, parts: readonly Uint8Array[], parameters: Float32Array): Promise<number> {
    let squares = 0;
    for (const [i, { start, end }] of this.#shardsOf(fragment, parts.length).entries()) {
      const [gradient] = await this.#decode(parts[i]!, { start, end });
      squares += await this.#norm.squares(gradient!);
      const range = parameters.subarray(start, end);
      await this.#sums.sum(1, range, -1, gradient!, range);
    }
    return Math.sqrt(squares);
  }

  /** The replica's parameters of a fragment, drawn to the committed ones: α of its own remains (arXiv 2501.18512). */
  async mix(fragment: number, local: { readonly parameters: Float32Array }): Promise<void> {
    const { start, end } = this.fragments[fragment]!;
    const own = local.parameters.subarray(start, end);
    const { mixing } = this.setup.cluster;
    const committed = await this.committed.ranged.parameters.read({ start, end });
    await this.#sums.sum(mixing, own, 1 - mixing, committed, own);
  }

  async dispose(): Promise<void> {
    for (const codec of new Set(this.#codecs)) await codec.dispose();
    await this.#merge.dispose();
    await this.#outer.dispose();
    await this.#sums.dispose();
    await this.#norm.dispose();
  }

  #shardsOf(fragment: number, parts: number): readonly Shard[] {
    const shards = this.fragments[fragment]?.shards ?? [];
    if (shards.length > 0 && shards.length === parts) return shards;
    throw new MeanfieldError(
      `What is for fragment ${fragment} in ${parts} parts is none of this run's model: it has ${this.fragments.length} fragments, that one in ${shards.length}.`,
    );
  }

  async #decode(part: Uint8Array, { start, end }: Shard): Promise<Float32Array[]> {
    const length = end - start;
    const sizes = this.#codecs.map((codec) => codec.encodedBytes(length));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    if (part.length !== total)
      throw new MeanfieldError(`a part of ${length} elements should have ${total} bytes, it has ${part.length}`);
    const vectors: Float32Array[] = [];
    let at = 0;
    for (const [k, codec] of this.#codecs.entries()) {
      vectors.push(await codec.decode(part.subarray(at, (at += sizes[k]!)), length));
    }
    const [, moment1, moment2] = vectors;
    const muon = this.#muon.map((range) => ({ start: range.start - start, end: range.end - start }));
    if (moment1 && moment2 && !arePossible(moment1, moment2, this.#moments, muon))
      throw new MeanfieldError('its moments are none that the optimiser comes to');
    return vectors;
  }
}

async function valuesOf(vector: LocalVectors['parameters'], { start, end }: Range): Promise<Float32Array> {
  return vector instanceof Float32Array ? vector.subarray(start, end) : vector.read({ start, end });
}

function largerThanTold(shard: number, told: number, squares: number): string {
  const found = Math.sqrt(squares).toPrecision(3);
  return `its shard ${shard} alone has the norm ${found}, but the norm of the whole was told as ${told.toPrecision(3)}`;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  return joinBytes(pieces);
}
