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
    const largest = logits[best]!;
    // Relative to the largest score, so nothing overflows.
    const weights = new Float64Array(logits.length);
    for (let id = 0; id < weights.length; id++) weights[id] = Math.exp((logits[id]! - largest) / temperature);
    if (topK > 0 && topK < weights.length) keepLargest(weights, topK);
    if (topP < 1) keepNucleus(weights, topP);
    return draw(weights, this.#random.uniform());
  }
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

/** Zeroes all but the `count` largest. */
function keepLargest(weights: Float64Array, count: number): void {
  const least = weights.toSorted()[weights.length - count]!;
  let above = 0;
  for (const weight of weights) if (weight > least) above++;
  keepFrom(weights, least, count - above);
}

/** Zeroes all but the fewest of the largest whose share of the sum is at least `share`. */
function keepNucleus(weights: Float64Array, share: number): void {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  // Weights below this cannot add up to what may be left out, so the nucleus lies among the others: few to sort.
  const floor = ((1 - share) * sum) / weights.length;
  const sorted = weights.filter((weight) => weight >= floor).sort();
  let reached = 0;
  let at = sorted.length;
  while (at > 0 && reached < share * sum) reached += sorted[--at]!;
  const least = sorted[at]!;
  keepFrom(weights, least, sorted.lastIndexOf(least) - at + 1);
}

/** Zeroes what is below `least`, and of those equal to it all but the first `equal`. */
function keepFrom(weights: Float64Array, least: number, equal: number): void {
  let left = equal;
  for (let id = 0; id < weights.length; id++) {
    const weight = weights[id]!;
    if (weight < least || (weight === least && left-- <= 0)) weights[id] = 0;
  }
}

/** The id at `position` (0 to 1) of the line on which each id takes up its weight. */
function draw(weights: Float64Array, position: number): number {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  let left = position * sum;
  let last = 0;
  for (let id = 0; id < weights.length; id++) {
    const weight = weights[id]!;
    if (weight === 0) continue;
    last = id;
    left -= weight;
    if (left < 0) return id;
  }
  // Rounding can leave a little at the end.
  return last;
}
