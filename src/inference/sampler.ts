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
    if (topP < 1) keepNucleus(weights, topP);
    const drawn = draw(weights, this.#random.uniform());
    return ids ? ids[drawn]! : drawn;
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

function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    const score = logits[id]!;
    if (Number.isNaN(score) || score === Number.POSITIVE_INFINITY) throw unusable(score, id);
    if (score > logits[best]!) best = id;
  }
  if (logits[best] === Number.NEGATIVE_INFINITY) throw unusable(logits[best]!, best);
  return best;
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

/** Zeroes all but the fewest of the largest whose share of the sum is at least `share`; of equal ones the first are kept. */
function keepNucleus(weights: Float64Array, share: number): void {
  const sum = sumOf(weights);
  // Weights below this cannot add up to what may be left out, so the nucleus lies among the others: few to sort.
  const floor = ((1 - share) * sum) / weights.length;
  let count = 0;
  for (let i = 0; i < weights.length; i++) if (weights[i]! >= floor) count++;
  const sorted = new Float64Array(count);
  for (let i = 0; i < weights.length; i++) if (weights[i]! >= floor) sorted[--count] = weights[i]!;
  sorted.sort();
  let reached = 0;
  let at = sorted.length;
  while (at > 0 && reached < share * sum) reached += sorted[--at]!;
  const least = sorted[at]!;
  let equal = sorted.lastIndexOf(least) - at + 1;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i]!;
    if (weight < least || (weight === least && equal-- <= 0)) weights[i] = 0;
  }
}

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
