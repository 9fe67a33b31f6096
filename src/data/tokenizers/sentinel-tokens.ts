import type { BpeModel } from './train-bpe.js';

/** How many spans of a text can be told apart (T5, arXiv 1910.10683). */
export const SENTINELS = 100;

/** The tokens that stand for spans of a text that are left out, as T5's tokenizers name them. */
const sentinelName = (number: number): string => `<extra_id_${number}>`;

/** Which tokens stand for spans: the ids go down from the first. */
export interface SentinelTokens {
  readonly first: number;
  readonly count: number;
}

/**
 * Finds a vocabulary's sentinels.
 *
 * @param idOf the id of a token, where there is such
 * @returns undefined where there is none; those whose ids do not go down one by one are not counted
 */
export function findSentinels(idOf: (name: string) => number | undefined): SentinelTokens | undefined {
  const first = idOf(sentinelName(0));
  if (first === undefined) return undefined;
  let count = 1;
  while (idOf(sentinelName(count)) === first - count) count++;
  return { first, count };
}

/** A BPE with sentinels after its last token. They have the last ids, so that all others are as without them. */
export function withSentinels(model: BpeModel): BpeModel {
  const from = model.tokens.length;
  const named = Array.from({ length: SENTINELS }, (_, i): [number, string] => [
    from + i,
    sentinelName(SENTINELS - 1 - i),
  ]);
  const tokens = [...model.tokens, ...named.map(() => new Uint8Array(0))];
  return { ...model, tokens, special: new Map([...model.special, ...named]) };
}
