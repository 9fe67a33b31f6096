/*
 * Shape suffixes: T new tokens; C width; V vocabulary.
 */
import type { Engine, Session, SessionOptions } from '../../engine/engine.js';
import { Compiled } from '../../engine/sessions.js';
import type { Model } from '../../model/model.js';
import { BaseSections, type BaseTensors } from '../../training/streamed/adapter/base-sections.js';
import { ChunkedHead } from '../../training/streamed/chunked-head.js';
import type { CutGraph } from '../../training/streamed/cut-graph.js';
import { compileAlike, partFeeds } from '../../training/streamed/part-programs.js';
import { type CacheNeeds, cacheNeeds } from '../decoder-program.js';
import { KeyValueCache } from '../key-value-cache.js';
import { checkStep, type SequenceDecoder } from '../sequences.js';
import { traceStepParts } from './decoder-parts.js';
import { cutOfModel, partsOf } from './scorer.js';

/** Tokens of one run of a layer, at most: more of a prompt go through it in several. */
export const RUN_TOKENS = 128;
/** Tokens of one pass over the model, at most. */
const PASS_TOKENS = 4096;

/** What a {@link StreamedDecoder} computes with. */
export interface StreamedDecoderOptions {
  readonly model: Model;
  readonly tensors: BaseTensors;
  readonly engine: Engine;
  readonly compile?: SessionOptions | undefined;
}

/** Programs of a step, by the part. */
interface StepSessions {
  readonly of: ReadonlyMap<number, Session>;
  dispose(): Promise<void>;
}

/** Tokens that go through a layer in one run. */
interface Piece {
  readonly taken: number;
  /** With those that fill it up. */
  readonly tokens: number;
  readonly feeds: { readonly ids: BigInt64Array; readonly positions: BigInt64Array };
  state_TC: Float32Array;
}

/**
 * A model that remembers a sequence, of which a layer is in memory at a time: every step reads the model once, however many
 * tokens it takes. Keys and values stay in memory.
 */
export class StreamedDecoder implements SequenceDecoder {
  readonly context: number;
  readonly turn: number;
  readonly #cut: CutGraph;
  readonly #sections: BaseSections;
  readonly #needs: CacheNeeds;
  /** One for each block. */
  #caches: readonly KeyValueCache[] = [];
  readonly #sessions = new Compiled<StepSessions>();
  readonly #head: ChunkedHead;
  /** Whether what is cached has the positions of beyond {@link turn}. */
  #isBeyond = false;

  /** @throws MeanfieldError for what is not made of layers one behind the other */
  constructor(private readonly options: StreamedDecoderOptions) {
    const { model, tensors, engine } = options;
    this.#cut = cutOfModel(model);
    const { sections, width, head } = this.#cut;
    this.#sections = new BaseSections(
      tensors,
      sections.map(({ entries }) => entries),
    );
    this.context = model.reach.written;
    this.turn = model.dimensions.context;
    this.#needs = cacheNeeds(model);
    this.#head = new ChunkedHead(engine, { tokens: 1, width, softcap: head.softcap }, this.#compile);
    this.clear();
  }

  get length(): number {
    return this.#caches[0]!.length;
  }

  async step(ids: ArrayLike<number>, most = PASS_TOKENS) {
    const taken = Math.min(ids.length, PASS_TOKENS, most);
    const { length } = this;
    this.#isBeyond = checkStep(this, { length, beyond: this.#isBeyond }, taken, ids.length);
    try {
      await this.options.tensors.check();
      return { taken, logits: await this.#pass(Array.from({ length: taken }, (_, t) => ids[t]!)) };
    } catch (error) {
      // Some layers have seen the tokens, and others have not.
      this.clear();
      throw error;
    }
  }

  /** Forgets the sequence. */
  clear(): void {
    this.#caches = this.#cut.blocks.map(() => new KeyValueCache(1, this.#needs, this.context));
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
    await this.#head.dispose();
  }

  /** The scores after the last of some tokens, [V]. */
  async #pass(ids: readonly number[]): Promise<Float32Array> {
    const { sections, head, width: C } = this.#cut;
    const parts = partsOf(this.#cut);
    const pieces = await this.#begin(ids);
    await this.#sections.through(
      parts.map(({ section }) => section),
      async (parameters, section) => {
        const i = section - parts[0]!.section;
        // Before the blocks and behind them nothing is remembered.
        const cache = this.#caches[i - 1];
        for (const piece of pieces) {
          const session = await this.#session(i, piece.tokens, cache?.slots);
          const feeds = { ...piece.feeds, ...cache?.feeds(piece.tokens) };
          const outputs = await session.run(partFeeds(session, { x: piece.state_TC, parameters, feeds }));
          piece.state_TC = outputs.y as Float32Array;
          cache?.append(outputs, piece.taken);
        }
      },
    );
    const { state_TC, taken } = pieces.at(-1)!;
    const last = state_TC.slice((taken - 1) * C, taken * C);
    const logits = new Float32Array(this.options.model.dimensions.vocabulary);
    await this.#sections.through(head.sections, async ([table], section) => {
      logits.set(await this.#head.scores(last, table!), sections[section]!.entries[0]!.from / C);
    });
    return logits;
  }

  async #begin(ids: readonly number[]): Promise<Piece[]> {
    const { sections, embedding, width } = this.#cut;
    const { name } = sections[embedding.sections[0]!]!.entries[0]!;
    const pieces: Piece[] = [];
    for (let at = 0; at < ids.length; at += RUN_TOKENS) {
      const taken = Math.min(RUN_TOKENS, ids.length - at);
      const tokens = 2 ** Math.ceil(Math.log2(taken));
      // The last may be filling. They come after every true one, so none of those attends to them.
      const places = Array.from({ length: tokens }, (_, t) => at + Math.min(t, taken - 1));
      const positions = BigInt64Array.from(places, (place) => BigInt(this.length + place));
      const feeds = { ids: BigInt64Array.from(places, (place) => BigInt(ids[place]!)), positions };
      const state_TC = new Float32Array(tokens * width);
      await this.#sections.rows(name, feeds.ids, width, state_TC);
      pieces.push({ taken, tokens, feeds, state_TC });
    }
    return pieces;
  }

  /** The program of a part. @param slots of its cache; those before and behind the blocks have none */
  async #session(part: number, tokens: number, slots?: number): Promise<Session> {
    const { model, engine } = this.options;
    const reach = this.#isBeyond ? this.context : this.turn;
    const { of } = await this.#sessions.of(`${tokens} ${slots} ${reach}`, async () => {
      const size = { tokens, slots: slots ?? 1, reach };
      const programs = traceStepParts(model, this.#cut, size, engine.target);
      const isBlock = (i: number) => i > 0 && i < programs.length - 1;
      const places = [...programs.keys()].filter((i) => isBlock(i) === (slots !== undefined));
      const made = await compileAlike(
        engine,
        places.map((i) => programs[i]!),
        this.#compile,
      );
      const dispose = async () => {
        for (const session of made.all) await session.dispose();
      };
      return { of: new Map(places.map((i, at) => [i, made.of[at]!])), dispose };
    });
    return of.get(part)!;
  }

  get #compile(): SessionOptions {
    // An arena keeps what the largest layer needed; threads that spin would take the cores of the session that is at work.
    return { spinning: false, arena: false, oneBlock: true, ...this.options.compile };
  }
}
