import { UsageError } from '../../../base/errors.js';
import { type Frame, Matcher, type MatcherState } from './matcher.js';
import type { ByteProgram } from './program.js';
import type { Vocabulary } from './vocabulary.js';

/** Tokens, from one to before another in the order of their bytes, that have these first bytes in common. */
interface Subtree {
  readonly from: number;
  readonly to: number;
  readonly depth: number;
}

/** What an instruction allows whatever it stands in: tokens by bit, and where what it stands in comes to speak. */
interface Local {
  readonly mask: Uint32Array;
  readonly pending: readonly Subtree[];
}

/**
 * A grammar over a vocabulary. What an instruction allows of the vocabulary is found once and kept, but for the few tokens that
 * reach beyond the end of what it is part of: those are followed in each place anew. Of all places that a text comes
 * through, most have been met before.
 */
export class TokenGrammar {
  readonly #matcher: Matcher;
  readonly #vocabulary: Vocabulary;
  readonly #locals = new Map<string, Local>();
  readonly #words: number;

  constructor(program: ByteProgram, vocabulary: Vocabulary) {
    this.#matcher = new Matcher(program);
    this.#vocabulary = vocabulary;
    this.#words = Math.ceil(vocabulary.size / 32);
  }

  start(): MatcherState {
    return this.#matcher.start();
  }

  /** The state after some bytes; null where they are not allowed. */
  after(state: MatcherState, bytes: Uint8Array): MatcherState | null {
    let at: MatcherState | null = state;
    for (let i = 0; at && i < bytes.length; i++) at = this.#matcher.step(at, bytes[i]!);
    return at;
  }

  /** The tokens that may follow, by bit; those that end a text are not among them. */
  mask(state: MatcherState): Uint32Array {
    if (state.mask) return state.mask;
    const mask = new Uint32Array(this.#words);
    const followed = new Set<string>();
    for (const top of state.tops) {
      const { key, frame, outer } = this.#localFrame(top);
      const local = this.#local(key, frame);
      for (let i = 0; i < mask.length; i++) mask[i]! |= local.mask[i]!;
      const within = `${key}/${outer?.id ?? -1}`;
      if (outer === undefined || followed.has(within)) continue;
      followed.add(within);
      const begin = this.#matcher.returned(outer);
      for (const subtree of local.pending) this.#walk(subtree, begin, mask);
    }
    state.mask = mask;
    return mask;
  }

  #local(key: string, frame: Frame): Local {
    let local = this.#locals.get(key);
    if (!local) {
      const mask = new Uint32Array(this.#words);
      const pending: Subtree[] = [];
      const all = { from: 0, to: this.#vocabulary.ids.length, depth: 0 };
      this.#walk(all, this.#matcher.stateOf([frame]), mask, pending);
      local = { mask, pending };
      if (this.#locals.size >= MOST_LOCALS) this.#locals.clear();
      this.#locals.set(key, local);
    }
    return local;
  }

  /**
   * A frame without what it stands in: with the loops around it alone, up to the call of its rule. Counts of turns that lie
   * farther from a bound than any token reaches are made equal.
   */
  #localFrame(top: Frame): { readonly key: string; readonly frame: Frame; readonly outer: Frame | undefined } {
    const { code } = this.#matcher.program;
    const { longest } = this.#vocabulary;
    const loops: { at: number; count: number }[] = [];
    let outer = top.parent;
    for (; outer; outer = outer.parent) {
      const loop = code[outer.at]!;
      if (loop.type !== 'loop') break;
      const { min, max } = loop;
      let { count } = outer;
      if (count < min && min - count > longest) count = min - longest - 1;
      else if (count >= min && max !== Number.POSITIVE_INFINITY && max - count > longest) count = max - longest - 1;
      loops.push({ at: outer.at, count });
    }
    let frame: Frame | undefined;
    for (const { at, count } of loops.reverse()) frame = this.#matcher.frame(at, count, frame);
    frame = this.#matcher.frame(top.at, 0, frame);
    return { key: `${top.at};${loops.map(({ at, count }) => `${at}:${count}`).join(';')}`, frame, outer };
  }

  /**
   * Adds the tokens that go on from a state.
   *
   * @param pending takes up where the state may have ended before a token has
   */
  #walk({ from, to, depth }: Subtree, begin: MatcherState, mask: Uint32Array, pending?: Subtree[]): void {
    const { ids, bytes, offsets, common } = this.#vocabulary;
    const states: MatcherState[] = [];
    states[depth] = begin;
    // Tokens that share more bytes than this with the last end as it did.
    let dead = Number.POSITIVE_INFINITY;
    for (let i = from; i < to; i++) {
      const shared = i === from ? depth : Math.max(depth, common[i]!);
      if (shared > dead) continue;
      dead = Number.POSITIVE_INFINITY;
      const offset = offsets[i]!;
      const length = offsets[i + 1]! - offset;
      // One of the same bytes as the subtree's beginning was allowed where that was.
      if (length <= depth) continue;
      let reached = shared;
      for (; reached < length; reached++) {
        const next = this.#matcher.step(states[reached]!, bytes[offset + reached]!);
        if (!next) {
          dead = reached;
          break;
        }
        states[reached + 1] = next;
        if (pending && next.accepting) {
          let end = i + 1;
          while (end < to && common[end]! > reached) end++;
          if (end > i + 1 || length > reached + 1) pending.push({ from: i, to: end, depth: reached + 1 });
        }
      }
      if (reached === length) mask[ids[i]! >>> 5]! |= 1 << (ids[i]! & 31);
    }
  }
}

/** Each takes a bit a token. */
const MOST_LOCALS = 2048;

/** What a grammar allows of one text. */
export class GrammarMask {
  #state: MatcherState;
  #next: Uint32Array | undefined;
  #ended = false;

  /**
   * @param bytesOf the bytes of a token
   * @param end the tokens that end a text: allowed where it may end
   */
  constructor(
    private readonly grammar: TokenGrammar,
    private readonly bytesOf: (id: number) => Uint8Array,
    private readonly end: ReadonlySet<number>,
  ) {
    this.#state = grammar.start();
  }

  /** Whether the text is whole here, whether or not more may come. */
  get whole(): boolean {
    return this.#state.accepting;
  }

  /** Whether the text is whole and nothing more may come but its end. */
  get ended(): boolean {
    return this.#ended || (this.#state.accepting && this.grammar.mask(this.#state).every((word) => word === 0));
  }

  /**
   * The tokens that may come next: token i is bit i % 32 of element i / 32. Valid until {@link accept}.
   *
   * @throws UsageError when the vocabulary has none, so that the text cannot go on
   */
  next(): Uint32Array {
    if (this.#next) return this.#next;
    let mask = this.grammar.mask(this.#state);
    if (this.#ended) mask = new Uint32Array(mask.length);
    if (this.#state.accepting) {
      mask = mask.slice();
      for (const id of this.end) mask[id >>> 5]! |= 1 << (id & 31);
    }
    if (mask.every((word) => word === 0))
      throw new UsageError('No token of the vocabulary goes on with the text that the grammar asks for.');
    this.#next = mask;
    return mask;
  }

  /** A token was chosen. @throws RangeError when it is not allowed */
  accept(id: number): void {
    this.#next = undefined;
    if (this.end.has(id) && this.#state.accepting) {
      this.#ended = true;
      return;
    }
    const state = this.#ended ? null : this.grammar.after(this.#state, this.bytesOf(id));
    if (!state) throw new RangeError(`Token ${id} is not allowed here.`);
    this.#state = state;
  }
}
