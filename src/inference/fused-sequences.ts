import type { AnySizeEngine, AnySizeSession, HostArray, SessionOptions, ShapedArray } from '../engine/engine.js';
import { Compiled } from '../engine/sessions.js';
import type { Model } from '../model/model.js';
import { fusedNeeds, traceFused } from './fused-program.js';
import { RowCache } from './row-cache.js';
import { checkStep, type NextToken, type Sequences } from './sequences.js';
import { shapedParameters, type Weights } from './weights.js';

/** The most tokens of a step. */
const MOST_TOKENS = 128;

/** What {@link FusedSequences} compute with. */
export interface FusedSequencesOptions {
  readonly model: Model;
  readonly weights: Weights;
  readonly engine: AnySizeEngine;
  readonly compile?: SessionOptions | undefined;
  readonly mostTokens?: number | undefined;
  /** Slots of all sequences together, each as many as the longest has; they are exceeded only where no fewer would do. */
  readonly slots?: number | undefined;
}

/** A sequence and the row that holds it. */
interface Held {
  readonly sequence: number;
  length: number;
  beyond: boolean;
}

/**
 * Sequences whose attention is one fused operator over a cache that it writes in place: one program serves all numbers of
 * sequences, tokens and slots.
 */
export class FusedSequences implements Sequences {
  readonly context: number;
  readonly turn: number;
  readonly mostTokens: number;
  readonly #options: FusedSequencesOptions;
  readonly #cache: RowCache;
  /** By the number of their row. */
  readonly #rows: Held[] = [];
  readonly #rowOf = new Map<number, number>();
  /** By whether positions are those beyond the turn, and whether scores are told of given tokens. */
  readonly #sessions = new Compiled<AnySizeSession>();
  /** What came out last, by its rows: the same arrays serve the next step. */
  readonly #outputs = new Map<string, Readonly<Record<string, ShapedArray>>>();
  readonly #fed: Readonly<Record<string, ShapedArray>>;
  /** What a run is given and where it writes, by the arrays of the cache: what else there is changes in place. */
  readonly #runs = new WeakMap<object, { feeds: Record<string, ShapedArray>; into: Record<string, ShapedArray> }>();
  #next = 0;

  constructor(options: FusedSequencesOptions) {
    const { model, mostTokens = MOST_TOKENS } = options;
    this.context = model.reach.written;
    this.turn = model.dimensions.context;
    this.mostTokens = mostTokens;
    this.#options = options;
    this.#fed = shapedParameters(model, options.weights.fed);
    this.#cache = new RowCache(fusedNeeds(model).heads, this.context, options.slots);
  }

  get bytes(): number {
    return this.#cache.bytes;
  }

  /** Compiles what the first step needs. */
  async ready(): Promise<void> {
    await this.#session(false, false);
  }

  open(): number {
    const sequence = this.#next++;
    this.#cache.reserve(this.#rows.length + 1, 0, this.#lengths());
    this.#rowOf.set(sequence, this.#rows.length);
    this.#rows.push({ sequence, length: 0, beyond: false });
    return sequence;
  }

  fork(sequence: number, length = this.lengthOf(sequence)): number {
    this.#checkHas(sequence, length);
    const fork = this.open();
    const from = this.#held(sequence);
    const to = this.#held(fork);
    this.#cache.copy(this.#rowOf.get(sequence)!, this.#rowOf.get(fork)!, length);
    [to.length, to.beyond] = [length, from.beyond];
    return fork;
  }

  cut(sequence: number, length: number): void {
    this.#checkHas(sequence, length);
    this.#held(sequence).length = length;
  }

  close(sequence: number): void {
    this.#held(sequence);
    const last = this.#rows.length - 1;
    this.#swap(this.#rowOf.get(sequence)!, last);
    this.#rows.pop();
    this.#rowOf.delete(sequence);
  }

  lengthOf(sequence: number): number {
    return this.#held(sequence).length;
  }

  read(sequence: number, ids: ArrayLike<number>, most = this.mostTokens) {
    return this.#read(sequence, ids, most, 'last');
  }

  readScored(sequence: number, ids: ArrayLike<number>, most = this.mostTokens) {
    return this.#read(sequence, ids, most, 'each');
  }

  async #read(sequence: number, ids: ArrayLike<number>, most: number, scored: 'last' | 'each') {
    const held = this.#held(sequence);
    const taken = Math.min(ids.length, this.mostTokens, most);
    held.beyond = checkStep(this, held, taken, ids.length);
    const row = this.#rowOf.get(sequence)!;
    const { logits } = await this.#run(
      [held],
      row,
      Array.from({ length: taken }, (_, i) => ids[i]!),
      { scored },
    );
    return { taken, logits: logits!.data as Float32Array };
  }

  kept(sequence: number, from: number, to: number): Float32Array | undefined {
    this.#checkHas(sequence, to);
    if (this.#held(sequence).beyond) return undefined;
    return this.#cache.taken(this.#rowOf.get(sequence)!, from, to);
  }

  restore(sequence: number, kept: Float32Array, tokens: number): void {
    const held = this.#held(sequence);
    if (held.length === 0) held.beyond = false;
    if (held.beyond || held.length + tokens > Math.min(this.turn, this.context))
      throw new Error(`cannot restore ${tokens} tokens behind ${held.length} of at most ${this.turn}`);
    this.#cache.reserve(this.#rows.length, held.length + tokens, this.#lengths());
    this.#cache.put(this.#rowOf.get(sequence)!, held.length, kept, tokens);
    held.length += tokens;
  }

  /**
   * Adds as many of `ids` to a sequence as one step takes, where what follows each is known.
   *
   * @returns how many; for each how many nats its target costs; and whether no token is likelier
   * @throws Error as {@link read}
   */
  async tell(
    sequence: number,
    ids: ArrayLike<number>,
    targets: ArrayLike<number>,
  ): Promise<{ readonly taken: number; readonly nats: Float32Array; readonly right: readonly boolean[] }> {
    const held = this.#held(sequence);
    const taken = Math.min(ids.length, this.mostTokens);
    held.beyond = checkStep(this, held, taken, ids.length);
    const row = this.#rowOf.get(sequence)!;
    const first = <T>(of: ArrayLike<T>) => Array.from({ length: taken }, (_, i) => of[i]!);
    const { sum, target } = await this.#run([held], row, first(ids), { targets: first(targets), scored: 'each' });
    const scores = target!.data as Float32Array;
    const nats = (sum!.data as Float32Array).map((whole, i) => whole - scores[i]!);
    return { taken, nats, right: Array.from(scores, (score) => score === 0) };
  }

  async write(next: readonly NextToken[]): Promise<readonly Float32Array[]> {
    if (new Set(next.map(({ sequence }) => sequence)).size < next.length)
      throw new Error('a sequence is to be written twice in one step');
    const checked = next.map(({ sequence, id }, place) => {
      const held = this.#held(sequence);
      return { held, id, place, beyond: checkStep(this, held, 1, 1) };
    });
    const results: Float32Array[] = [];
    // Positions are of one kind in a run.
    for (const beyond of [false, true]) {
      const group = checked.filter((one) => one.beyond === beyond);
      if (group.length === 0) continue;
      for (const { held } of group) held.beyond = beyond;
      const from = this.#gathered(group.map(({ held }) => held.sequence));
      group.sort((a, b) => this.#rowOf.get(a.held.sequence)! - this.#rowOf.get(b.held.sequence)!);
      const { logits } = await this.#run(
        group.map(({ held }) => held),
        from,
        group.map(({ id }) => id),
        { scored: 'last' },
      );
      const all = logits!.data as Float32Array;
      const V = all.length / group.length;
      for (const [i, { place }] of group.entries()) results[place] = all.subarray(i * V, (i + 1) * V);
    }
    return results;
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }

  #held(sequence: number): Held {
    const row = this.#rowOf.get(sequence);
    if (row === undefined) throw new Error(`there is no sequence ${sequence}`);
    return this.#rows[row]!;
  }

  #checkHas(sequence: number, length: number): void {
    const { length: has } = this.#held(sequence);
    if (!(length >= 0 && length <= has)) throw new Error(`a sequence of ${has} tokens has no first ${length}`);
  }

  #lengths(): number[] {
    return this.#rows.map(({ length }) => length);
  }

  #swap(a: number, b: number): void {
    if (a === b) return;
    const [first, second] = [this.#rows[a]!, this.#rows[b]!];
    this.#cache.swap(a, b, Math.max(first.length, second.length));
    [this.#rows[a], this.#rows[b]] = [second, first];
    this.#rowOf.set(first.sequence, b).set(second.sequence, a);
  }

  /** Brings sequences into rows that follow each other: copies only where others joined or left. @returns the first row */
  #gathered(sequences: readonly number[]): number {
    const rows = sequences.map((sequence) => this.#rowOf.get(sequence)!);
    const first = Math.min(...rows);
    if (Math.max(...rows) - first === rows.length - 1) return first;
    const wanted = new Set(sequences);
    const free = this.#rows.slice(0, rows.length).flatMap(({ sequence }, row) => (wanted.has(sequence) ? [] : [row]));
    for (const row of rows) if (row >= rows.length) this.#swap(row, free.pop()!);
    return 0;
  }

  /** Adds `ids` to sequences in rows from one on: one to each, or all to one; scores follow each sequence, or each token. */
  async #run(
    held: readonly Held[],
    from: number,
    ids: readonly number[],
    { targets, scored }: { readonly targets?: readonly number[]; readonly scored: 'last' | 'each' },
  ): Promise<Readonly<Record<string, ShapedArray>>> {
    const { model } = this.#options;
    const B = held.length;
    const T = ids.length / B;
    const longest = Math.max(...held.map(({ length }) => length)) + T;
    this.#cache.reserve(this.#rows.length, longest, this.#lengths());
    const session = await this.#session(held[0]!.beyond, targets !== undefined);
    const rows = Array.from({ length: scored === 'each' ? B * T : B }, (_, i) =>
      scored === 'each' ? i : (i + 1) * T - 1,
    );
    const V = model.dimensions.vocabulary;
    const cache = this.#cache.feeds(from, B);
    // Where a step is of both kinds of positions, the second run must leave the first's scores.
    const outputs = this.#outputsOf(
      held[0]!.beyond,
      targets ? { sum: [T], target: [T] } : { logits: [rows.length, V] },
    );
    const whole = this.#runs.get(cache) ?? { feeds: { ...this.#fed, ...cache }, into: { ...cache } };
    this.#runs.set(cache, whole);
    Object.assign(whole.feeds, {
      ids: int64(ids),
      positions: int64(held.flatMap(({ length }) => Array.from({ length: T }, (_, t) => length + t))),
      lengths: shaped(Int32Array.from(held, ({ length }) => length + T - 1)),
      longest: shaped(Int32Array.of(longest), []),
      shape: int64([B, T, -1]),
      rows: int64(rows),
      ...(targets && { targets: int64(targets) }),
    });
    await session.run(whole.feeds, Object.assign(whole.into, outputs));
    for (const one of held) one.length += T;
    return outputs;
  }

  #outputsOf(
    beyond: boolean,
    shapes: Readonly<Record<string, readonly number[]>>,
  ): Readonly<Record<string, ShapedArray>> {
    const key = [beyond, ...Object.entries(shapes)].join(' ');
    const outputs =
      this.#outputs.get(key) ??
      Object.fromEntries(
        Object.entries(shapes).map(([name, shape]) => {
          const data = new Float32Array(shape.reduce((size, n) => size * n, 1));
          return [name, { data, shape }];
        }),
      );
    this.#outputs.set(key, outputs);
    return outputs;
  }

  #session(beyond: boolean, told: boolean): Promise<AnySizeSession> {
    return this.#sessions.of(`${beyond} ${told}`, () => {
      const { engine, model, weights, compile } = this.#options;
      const reach = beyond ? this.context : this.turn;
      return engine.compileAnySize(traceFused(model, { weights, reach, told }, engine.target), compile);
    });
  }
}

const shaped = (data: HostArray, shape: readonly number[] = [data.length]): ShapedArray => ({ data, shape });

const int64 = (values: readonly number[]): ShapedArray => shaped(BigInt64Array.from(values, BigInt));
