import type { Random } from '../../base/random.js';

/** How spans of a text are left out. */
export interface SpanSettings {
  /** The share of tokens that are left out; 0.15 in T5. */
  readonly density: number;
  /** The mean length of a span, in tokens; 3 in T5. */
  readonly span: number;
}

/** The tokens that stand where something is told, and what is not text. */
export interface SpanTokens {
  /** Stands for the first span; the id below it for the second, and so on. */
  readonly sentinel: number;
  /** Ends source and target. */
  readonly end: number;
}

/** A text with spans left out, and those spans. */
export interface CorruptedText {
  readonly source: Int32Array;
  readonly target: Int32Array;
}

/** How much of a text is left out, in how many spans. */
export interface SpanCounts {
  readonly left: number;
  readonly spans: number;
}

/** Of two whole numbers equally near the even one, as Python and TensorFlow round. */
function round(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

/**
 * How many of `tokens` are left out, and in how many spans: at least one of each, and as many spans as there are tokens
 * between them at most.
 *
 * @param tokens 2 or more
 */
export function spanCounts(tokens: number, { density, span }: SpanSettings): SpanCounts {
  const left = Math.min(Math.max(round(tokens * density), 1), tokens - 1);
  return { left, spans: Math.min(Math.max(round(left / span), 1), tokens - left) };
}

/** Tokens of source and target that come of so many tokens of a text, with a sentinel a span and an end. */
export function spanLengths(tokens: number, settings: SpanSettings): { source: number; target: number } {
  const { left, spans } = spanCounts(tokens, settings);
  return { source: tokens - left + spans + 1, target: left + spans + 1 };
}

/**
 * How many tokens of a text make a source of a length: as many as fit (`random_spans_helper` of T5's code).
 *
 * @param source 3 or more
 */
export function tokensForSource(source: number, settings: SpanSettings): number {
  const fits = (tokens: number) => spanLengths(tokens, settings).source <= source;
  let tokens = Math.max(2, source);
  while (tokens > 2 && !fits(tokens)) tokens--;
  while (fits(tokens + 1)) tokens++;
  return tokens;
}

/**
 * Leaves spans out of a text (T5, arXiv 1910.10683 §3.1.4, by `random_spans_noise_mask` of its code): text and spans take
 * turns, beginning with text, and each is cut at random into as many parts. In the source a sentinel stands for each span;
 * in the target the same one stands before what it was. Both end with the end token.
 *
 * @param ids [T], T of 2 or more; left as they are
 * @param random the same state gives the same pair
 */
export function corruptSpans(
  ids: Int32Array,
  random: Random,
  { sentinel, end, ...settings }: SpanSettings & SpanTokens,
): CorruptedText {
  const { left, spans } = spanCounts(ids.length, settings);
  const gone = cutAtRandom(left, spans, random);
  const kept = cutAtRandom(ids.length - left, spans, random);
  const source: number[] = [];
  const target: number[] = [];
  let at = 0;
  for (let i = 0; i < spans; i++) {
    source.push(...ids.subarray(at, (at += kept[i]!)), sentinel - i);
    target.push(sentinel - i, ...ids.subarray(at, (at += gone[i]!)));
  }
  return { source: Int32Array.from([...source, end]), target: Int32Array.from([...target, end]) };
}

/** Lengths of parts, each 1 or more, every way of cutting as likely. */
function cutAtRandom(items: number, parts: number, random: Random): number[] {
  // Where a part begins: as many of the places between items.
  const begins = Uint8Array.from({ length: items - 1 }, (_, i) => (i < parts - 1 ? 1 : 0));
  for (let i = begins.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [begins[i], begins[j]] = [begins[j]!, begins[i]!];
  }
  const lengths = [1];
  for (const begin of begins) {
    if (begin) lengths.push(1);
    else lengths[lengths.length - 1]!++;
  }
  return lengths;
}
