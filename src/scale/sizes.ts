import { UsageError } from '../base/errors.js';

/** Bytes: the vocabulary of every model of a ladder, so that losses are nats a byte. */
const VOCABULARY = 256;
/** The size of a head; widths are multiples of it. */
const HEAD = 16;
/** Width over layers that the rule aims at, and how dear it is to miss it beside missing the size itself. */
const ASPECT = 32;
const ASPECT_WEIGHT = 0.25;
const FEWEST_LAYERS = 2;
const MOST_LAYERS = 48;
const MOST_WIDTH = 4096;

/** A GPT-2 of a ladder. */
export interface LadderSize {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  /** All of them, with the embeddings of bytes and positions. */
  readonly parameters: number;
}

/** Parameters of a GPT-2 over bytes with the head tied to the embedding. */
export function parametersOf(layers: number, width: number, context: number): number {
  return layers * (12 * width ** 2 + 13 * width) + (VOCABULARY + context + 2) * width;
}

/**
 * The shape for so many parameters: heads of 16, width about 32 times the layers, and at least two layers; of all such
 * shapes the one that least misses the size and that ratio, a factor in the ratio counting a quarter of one in the size.
 */
export function sizeFor(target: number, context: number): LadderSize {
  let best: LadderSize | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (let layers = FEWEST_LAYERS; layers <= MOST_LAYERS; layers++) {
    for (let width = HEAD; width <= MOST_WIDTH; width += HEAD) {
      const parameters = parametersOf(layers, width, context);
      const miss =
        Math.abs(Math.log(parameters / target)) + ASPECT_WEIGHT * Math.abs(Math.log(width / (ASPECT * layers)));
      if (miss >= least) continue;
      least = miss;
      best = { layers, width, heads: width / HEAD, parameters };
    }
  }
  return best!;
}

/**
 * Sizes evenly spaced in the logarithm, of which the rule finds the nearest shapes.
 *
 * @throws UsageError when two of them come out the same
 */
export function ladderSizes(least: number, most: number, count: number, context: number): readonly LadderSize[] {
  const sizes = Array.from({ length: count }, (_, i) => sizeFor(least * (most / least) ** (i / (count - 1)), context));
  const ascending = sizes.every((size, i) => i === 0 || size.parameters > sizes[i - 1]!.parameters);
  if (!ascending)
    throw new UsageError(
      `Between ${least} and ${most} parameters the rule of sizes has fewer than ${count} shapes: it comes to ` +
        `${sizes.map(({ parameters }) => parameters).join(', ')}. Take the two further apart, such as 30000 and 500000.`,
    );
  return sizes;
}
