import { MeanfieldError } from '../base/errors.js';
import { Random } from '../base/random.js';

/** How a {@link Sampler} chooses; see the options of generation. */
export interface SamplerOptions {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: number;
}

/**
 * Chooses tokens by their scores. As in Hugging Face transformers: the temperature first, then the `topK` likeliest,
 * then of those the fewest that reach `topP`, then one of them by chance. Equal scores: the lower id is taken first.
 */
export class Sampler {
  readonly #options: SamplerOptions;
  readonly #random: Random;

  constructor(options: SamplerOptions) {
    this.#options = options;
    this.#random = new Random(options.seed, 'generation');
  }

  /**
   * @param logits scores by id
   * @throws MeanfieldError when a score is not a number, as in a model whose training failed
   */
  sample(logits: Float32Array): number {
    const best = likeliest(logits);
    const { temperature, topK, topP } = this.#options;
    if (temperature === 0) return best;
    const ids = topK > 0 && topK < logits.length ? likeliestIds(logits, topK) : undefined;
    const weights = weightsOf(logits, ids, { largest: logits[best]!, temperature });
    const place = topP < 1 ? drawNucleus(weights, topP, this.#random.uniform()) : draw(weights, this.#random.uniform());
    return ids ? ids[place]! : place;
  }
}

/** What tokens weigh, relative to the largest score, so that nothing overflows: those of `ids`, or of all. */
function weightsOf(
  logits: Float32Array,
  ids: Uint32Array | undefined,
  { largest, temperature }: { readonly largest: number; readonly temperature: number },
): Float64Array {
  const weights = new Float64Array(ids?.length ?? logits.length);
  for (let i = 0; i < weights.length; i++) weights[i] = Math.exp((logits[ids ? ids[i]! : i]! - largest) / temperature);
  return weights;
}

/** Scores that are looked at together. */
const TOGETHER = 4096;

/** The first of the likeliest: in which part it stands is found out first, in one pass over scores that no cache has yet. */
function likeliest(logits: Float32Array): number {
  let most = Number.NEGATIVE_INFINITY;
  let best = 0;
  for (let from = 0; from < logits.length; from += TOGETHER) {
    const largest = largestOf(logits, from, Math.min(from + TOGETHER, logits.length));
    if (largest > most) {
      most = largest;
      best = from;
    } else if (Number.isNaN(largest)) most = largest;
  }
  if (!Number.isFinite(most)) {
    const wrong = Math.max(
      0,
      logits.findIndex((score) => !(score < Number.POSITIVE_INFINITY)),
    );
    throw unusable(logits[wrong]!, wrong);
  }
  while (logits[best] !== most) best++;
  return best;
}

/** The largest of scores from one to before another; NaN where one is no number or infinitely large. */
function largestOf(logits: Float32Array, from: number, to: number): number {
  let a = Number.NEGATIVE_INFINITY;
  let b = a;
  let c = a;
  let d = a;
  let known = 0;
  let id = from;
  for (; id + 3 < to; id += 4) {
    const p = logits[id]!;
    const q = logits[id + 1]!;
    const r = logits[id + 2]!;
    const s = logits[id + 3]!;
    if (p > a) a = p;
    if (q > b) b = q;
    if (r > c) c = r;
    if (s > d) d = s;
    // What is no number, or infinitely large, stays so; what is infinitely small is what may not be chosen.
    known += p + q + r + s;
  }
  for (; id < to; id++) {
    const score = logits[id]!;
    if (score > a) a = score;
    known += score;
  }
  return known < Number.POSITIVE_INFINITY ? Math.max(a, b, c, d) : Number.NaN;
}

function unusable(score: number, id: number): MeanfieldError {
  return new MeanfieldError(
    `The model gives ${score} as the score of token ${id}: its weights are not usable. Take an earlier checkpoint.`,
  );
}

/** The ids of the `count` largest scores, in order; of equal ones the first. */
export function likeliestIds(logits: Float32Array, count: number): Uint32Array {
  const least = smallestOfLargest(logits, count);
  let above = 0;
  for (let id = 0; id < logits.length; id++) if (logits[id]! > least) above++;
  const ids = new Uint32Array(count);
  let equal = count - above;
  let at = 0;
  for (let id = 0; id < logits.length && at < count; id++)
    if (logits[id]! > least || (logits[id] === least && equal-- > 0)) ids[at++] = id;
  return ids.subarray(0, at);
}

/** The smallest of the `count` largest scores: most scores are compared once, with the smallest of those kept so far. */
function smallestOfLargest(logits: Float32Array, count: number): number {
  // A heap, whose every element is no larger than the two behind it.
  const heap = logits.slice(0, count).sort();
  for (let id = count; id < logits.length; id++) {
    const score = logits[id]!;
    if (score <= heap[0]!) continue;
    let at = 0;
    for (;;) {
      let next = 2 * at + 1;
      if (next + 1 < count && heap[next + 1]! < heap[next]!) next++;
      if (next >= count || heap[next]! >= score) break;
      heap[at] = heap[next]!;
      at = next;
    }
    heap[at] = score;
  }
  return heap[0]!;
}

/** {@link draw} of the fewest of the largest weights whose share of the sum is at least `share`; of equal ones the first. */
function drawNucleus(weights: Float64Array, share: number, position: number): number {
  const sum = sumOf(weights);
  // Weights below this cannot add up to what may be left out, so the nucleus lies among the others: few.
  const floor = ((1 - share) * sum) / weights.length;
  const places = new Uint32Array(weights.length);
  let count = 0;
  for (let i = 0; i < weights.length; i++) {
    places[count] = i;
    count += weights[i]! >= floor ? 1 : 0;
  }
  const large = new Float64Array(count);
  for (let i = 0; i < count; i++) large[i] = weights[places[i]!]!;
  const { least, kept } = leastOfNucleus(large, share * sum);
  let equal = kept;
  for (let i = 0; i < count; i++) if (large[i]! < least || (large[i] === least && equal-- <= 0)) large[i] = 0;
  return places[draw(large, position)]!;
}

/** The smallest of the fewest largest weights that add up to so much, and how many of those equal to it are among them. */
function leastOfNucleus(weights: Float64Array, wanted: number): { readonly least: number; readonly kept: number } {
  // Weights are at most 1. Those of a size, to a 128th of a power of two, are counted together: only the last few are sorted.
  const sizes = new Float64Array(SIZES);
  const size = new Float32Array(1);
  const bits = new Uint32Array(size.buffer);
  const sizeOf = (weight: number) => {
    size[0] = weight;
    return bits[0]! >>> 16;
  };
  let smallest = SIZES;
  for (let i = 0; i < weights.length; i++) {
    const at = sizeOf(weights[i]!);
    sizes[at]! += weights[i]!;
    smallest = Math.min(smallest, at);
  }
  let reached = 0;
  let last = SIZES - 1;
  while (last > smallest && reached + sizes[last]! < wanted) reached += sizes[last--]!;
  const sorted = weights.filter((weight) => sizeOf(weight) === last).sort();
  let at = sorted.length;
  while (at > 0 && (reached < wanted || at === sorted.length)) reached += sorted[--at]!;
  const least = sorted[at]!;
  return { least, kept: sorted.lastIndexOf(least) - at + 1 };
}

/** The sizes of weights up to 1 in {@link leastOfNucleus}. */
const SIZES = (0x3f800000 >>> 16) + 1;

function sumOf(weights: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += weights[i]!;
  return sum;
}

/** The place at `position` (0 to 1) of the line on which each weight takes up its size. */
function draw(weights: Float64Array, position: number): number {
  let left = position * sumOf(weights);
  let last = 0;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i]!;
    if (weight === 0) continue;
    last = i;
    left -= weight;
    if (left < 0) return i;
  }
  // Rounding can leave a little at the end.
  return last;
}
