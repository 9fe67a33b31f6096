import type { BpeModel } from './train-bpe.js';

/**
 * The token that stands where a model has to tell what was there (BERT, arXiv 1810.04805). It has the last id, so that
 * all others are as without it, and no text becomes it: what is masked is chosen, not read.
 */
export const MASK_TOKEN = '[MASK]';

/** A BPE with the mask token after its last. */
export function withMask(model: BpeModel): BpeModel {
  const special = new Map([...model.special, [model.tokens.length, MASK_TOKEN] as const]);
  return { ...model, tokens: [...model.tokens, new Uint8Array(0)], special };
}
