import type { JsonObject } from '../../base/json.js';
import { bpeModel } from '../../data/tokenizers/tokenizer-json.js';

/*
 * Tokenizers of SentencePiece's kind: of all neighbours in a text those are joined first whose token has the highest score
 * (`llm_tokenizer_spm` of llama.cpp). A `tokenizer.json` tells the same by ranks of pairs.
 */

/** What stands for a blank. */
export const BLANK = '▁';

/** The longest token that is taken apart, in code points: each is, at all of its places. */
export const LONGEST_TOKEN = 512;

/** A token that stands for a byte. */
export const BYTE_TOKEN = /^<0x([0-9A-F]{2})>$/;

/** A pair, [left, right]. */
export type Pair = readonly [string, string];

/**
 * Pairs in the order of their rank, by the scores of the tokens that they make: every pair of tokens that is one together.
 * The order is that of Python `transformers` (`generate_merges`), also where scores are equal.
 *
 * @param known tokens that pairs may be made of
 * @param made tokens that pairs may make, of {@link LONGEST_TOKEN} code points at most, with their scores
 */
export function mergesByScore(
  known: { has(token: string): boolean },
  made: Iterable<readonly [token: string, score: number]>,
): Pair[] {
  const all: { readonly pair: Pair; readonly score: number; readonly left: number; readonly right: number }[] = [];
  for (const [token, score] of made) {
    for (const { pair, left, right } of splits(token)) {
      if (known.has(pair[0]) && known.has(pair[1])) all.push({ pair, score, left, right });
    }
  }
  all.sort((a, b) => b.score - a.score || b.left - a.left || b.right - a.right);
  return all.map(({ pair }) => pair);
}

/** Every two parts of a token, with their code points. */
function* splits(token: string): Iterable<{ readonly pair: Pair; readonly left: number; readonly right: number }> {
  const points = Array.from(token);
  let at = 0;
  for (let left = 1; left < points.length; left++) {
    at += points[left - 1]!.length;
    yield { pair: [token.slice(0, at), token.slice(at)], left, right: points.length - left };
  }
}

/**
 * Scores by which llama.cpp joins as ranks of pairs say, a whole number of 0 or less a token, or why there are none: the
 * pairs of a token must stand together, and be all that there are. Tokens of one score are runs of one character alone.
 *
 * @param known tokens that pairs may be made of
 * @param isMade of what a pair makes: whether it is ever made, not found in the text before
 */
export function scoresByMerges(
  merges: readonly Pair[],
  known: ReadonlySet<string>,
  isMade: (token: string) => boolean,
): { readonly scores: ReadonlyMap<string, number> } | { readonly fault: string } {
  const last = new Map<string, number>();
  const listed = new Set<string>();
  for (const [rank, [left, right]] of merges.entries()) {
    if (!isMade(left + right)) continue;
    last.set(left + right, rank);
    listed.add(`${left.length} ${left}${right}`);
  }
  const scores = new Map<string, number>();
  let [score, end] = [0, -1];
  let together: string[] = [];
  for (const [rank, [left, right]] of merges.entries()) {
    const token = left + right;
    if (!isMade(token) || scores.has(token)) continue;
    if (rank > end) {
      score -= 1;
      together = [];
    }
    end = Math.max(end, last.get(token)!);
    scores.set(token, score);
    together.push(token);
    const uneven = together.length > 1 ? together.find((each) => new Set(each).size > 1) : undefined;
    if (uneven !== undefined) return { fault: `pairs of ${JSON.stringify(uneven)} and of other tokens are mixed` };
  }
  // llama.cpp begins with characters, whether they are tokens or not.
  const isPart = (part: string, points: number) => points === 1 || known.has(part);
  for (const token of known) {
    if (!isMade(token)) continue;
    for (const { pair, left: before, right: after } of splits(token)) {
      const [left, right] = pair;
      if (isPart(left, before) && isPart(right, after) && !listed.has(`${left.length} ${token}`))
        return { fault: `${JSON.stringify(left)} and ${JSON.stringify(right)} are no pair, and one token together` };
    }
  }
  return { scores };
}

/** How a text is prepared, and tokens become text again: blanks as {@link BLANK}, one more before a text where `prefix` is. */
export function blanksAsTokens(prefix: boolean): { readonly normalizer: JsonObject; readonly decoder: JsonObject } {
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: BLANK };
  const back = [
    { type: 'Replace', pattern: { String: BLANK }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
    ...(prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
  ];
  return {
    normalizer: prefix ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: BLANK }, replace] } : replace,
    decoder: { type: 'Sequence', decoders: back },
  };
}

/** The `model` of a tokenizer of this kind. */
export const scoredModel = (
  vocab: Readonly<Record<string, number>>,
  merges: readonly Pair[],
  unknown: string | undefined,
): JsonObject => bpeModel(vocab, merges, { unk_token: unknown ?? null, fuse_unk: true, byte_fallback: true });
