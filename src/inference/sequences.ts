/** A model that remembers one sequence: give it tokens and it says what may come next. */
export interface SequenceDecoder {
  /** The longest sequence; of a model whose distances have no end, any. */
  readonly context: number;
  /**
   * Beyond how many tokens positions are others, for those before as well: a sequence that passes it is to be cleared and
   * given again. At least the context where nothing changes.
   */
  readonly turn: number;
  /** Tokens of the sequence so far. */
  readonly length: number;
  /** Of one that reads a source: reads that, and forgets the sequence and the source before. @param ids one or more */
  read?(ids: readonly number[]): Promise<void>;
  /**
   * Continues the sequence by a step's worth of `ids`, as many as one run takes.
   *
   * @param ids all that is known to follow: their number decides which positions count
   * @param most how many of them are taken at most
   * @returns how many were taken and the scores of every token to follow the last of them, [V], until the next step
   * @throws Error when nothing is given, a source is to be read before, or the sequence would pass the context, or
   * {@link turn} when it began before
   */
  step(ids: ArrayLike<number>, most?: number): Promise<{ readonly taken: number; readonly logits: Float32Array }>;
  /** Forgets the sequence, but not the source. */
  clear(): void;
  dispose(): Promise<void>;
}

/** The next token of a sequence. */
export interface NextToken {
  readonly sequence: number;
  readonly id: number;
}

/**
 * Sequences that a model writes side by side, each of a length of its own. They join and leave between steps: a step adds
 * a piece of one sequence, such as a prompt's, or one token to each of several. What a sequence is scored does not depend
 * on those beside it, beyond the rounding of sums.
 *
 * Steps are taken one after another: begin none before the one before has ended.
 */
export interface Sequences {
  /** The longest sequence. */
  readonly context: number;
  /**
   * Beyond how many tokens positions are others, for those before as well: a sequence that passes it is to be cleared and
   * given again. At least the context where nothing changes.
   */
  readonly turn: number;
  /** The most tokens that one step adds to a sequence. A run blocks its thread, so this bounds for how long. */
  readonly mostTokens: number;
  /** What keys and values take in memory, where it is known. */
  readonly bytes?: number;
  /** Begins an empty sequence. @returns its number */
  open(): number;
  /**
   * Begins a sequence with the first tokens of another: a prefix that both have is computed once.
   *
   * @param length how many; all where it is left out
   * @throws Error when the other has fewer
   */
  fork(sequence: number, length?: number): number;
  /**
   * What is held of some tokens of a sequence, for {@link restore}.
   *
   * @returns undefined where its positions are those beyond the turn, which no other sequence could use
   * @throws Error when it has fewer than `to`
   */
  kept(sequence: number, from: number, to: number): Float32Array | undefined;
  /**
   * Adds tokens to a sequence that are not computed again.
   *
   * @param kept what is held of the same tokens, in the same places behind the same others
   * @throws Error when the sequence would pass {@link turn}
   */
  restore(sequence: number, kept: Float32Array, tokens: number): void;
  /** Forgets all tokens of a sequence but the first. @throws Error when it has fewer */
  cut(sequence: number, length: number): void;
  /** Ends a sequence; its number may be given to another. */
  close(sequence: number): void;
  /** Tokens of a sequence. */
  lengthOf(sequence: number): number;
  /**
   * Adds as many of `ids` to a sequence as one step takes.
   *
   * @param ids all that is known to follow: their number decides which positions count
   * @param most how many of them are taken at most
   * @returns how many were taken and the scores of every token to follow the last of them, [V], until the next step
   * @throws Error when nothing is given, or the sequence would pass the context, or {@link turn} when it began before
   */
  read(
    sequence: number,
    ids: ArrayLike<number>,
    most?: number,
  ): Promise<{ readonly taken: number; readonly logits: Float32Array }>;
  /**
   * As {@link read}, with the scores after each of the tokens that were taken.
   *
   * @returns how many were taken and those scores, [taken, V], until the next step
   */
  readScored(
    sequence: number,
    ids: ArrayLike<number>,
    most?: number,
  ): Promise<{ readonly taken: number; readonly logits: Float32Array }>;
  /**
   * Adds one token to each of several sequences.
   *
   * @returns the scores of every token to follow each, [V], in the order given, until the next step
   * @throws Error as {@link read}, and when a sequence is named twice
   */
  write(next: readonly NextToken[]): Promise<readonly Float32Array[]>;
  dispose(): Promise<void>;
}

/** Throws unless a sequence may be continued so. @returns whether it is one of beyond the turn */
export function checkStep(
  { context, turn }: Pick<Sequences, 'context' | 'turn'>,
  { length, beyond }: { readonly length: number; readonly beyond: boolean },
  taken: number,
  known: number,
): boolean {
  if (taken === 0 || length + taken > context) {
    throw new Error(`cannot add ${taken} tokens to ${length} of at most ${context}`);
  }
  const isBeyond = length + known > turn;
  if (length > 0 && isBeyond !== beyond) {
    throw new Error(
      `cannot continue ${length} tokens beyond ${turn}, where positions change: clear, and give them again`,
    );
  }
  return isBeyond;
}
