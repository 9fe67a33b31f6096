/** What a grammar allows of a text that is written token by token. */
export interface TokenMask {
  /** The tokens that may come next, one or more: token i is bit i % 32 of element i / 32. Valid until {@link accept}. */
  next(): Uint32Array;
  /** A token was chosen. */
  accept(id: number): void;
  /** Whether the text is whole and nothing more may come but its end. */
  readonly ended: boolean;
}

/** Makes scores of tokens that a mask does not allow those of what never comes, in place. */
export function applyMask(mask: TokenMask, logits: Float32Array): void {
  const allowed = mask.next();
  for (let id = 0; id < logits.length; id++)
    if (((allowed[id >>> 5] ?? 0) & (1 << (id & 31))) === 0) logits[id] = Number.NEGATIVE_INFINITY;
}
