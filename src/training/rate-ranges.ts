/*
 * Learning rates by layer: the rate of the schedule times a factor of each parameter's own.
 */
import { UsageError } from '../base/errors.js';
import { spelledError } from '../base/spelling.js';
import { baseParameter } from '../model/adapter.js';
import type { ParameterLayout } from '../model/layout.js';
import { NamePattern } from '../model/name-patterns.js';

/** Neighbouring elements of the trained vector that share a factor. */
export interface RateRange {
  readonly elements: number;
  /** What the schedule's learning rate is multiplied by; above 0. */
  readonly factor: number;
}

/** By what parameters' learning rates differ. */
export interface RateOptions {
  /**
   * Block i of n has so much to the power n − 1 − i, what comes before the first block a power more, and what comes after
   * the last all of the rate: the layer-wise decay of ELECTRA (arXiv 2003.10555, appendix A) and BEiT (arXiv 2106.08254, §3.1).
   */
  readonly layerLrDecay?: number | undefined;
  /** `PATTERN=FACTOR`, by the parameters' names; those of several that fit multiply. */
  readonly lrScale?: readonly string[] | undefined;
}

/** Factors beyond are mistakes; their square times another's must not overflow. */
const LARGEST = 1e4;
const BLOCK = /^(?<stack>.*?)\.(?<index>\d+)\./;

/**
 * The factors of a trained vector, from its beginning to its end.
 *
 * @param whole all of the model's own parameters, in its order
 * @param trained those that are trained, or an adapter's
 * @returns undefined where all learn at one rate
 * @throws UsageError for a pattern that fits nothing that is trained, a factor that is none, or a model without blocks
 */
export function rateRanges(
  whole: ParameterLayout,
  trained: ParameterLayout,
  { layerLrDecay = 1, lrScale = [] }: RateOptions,
): RateRange[] | undefined {
  const scales = lrScale.map((text) => scaleOf(text, trained));
  const power = layerLrDecay === 1 ? undefined : powers(whole);
  const ranges: { elements: number; factor: number }[] = [];
  for (const { name, size } of trained.entries) {
    const decayed = power ? layerLrDecay ** power(baseParameter(name)) : 1;
    const factor = scales.reduce(
      (product, scale) => (scale.pattern.fits(name) ? product * scale.factor : product),
      decayed,
    );
    const last = ranges.at(-1);
    if (last?.factor === factor) last.elements += size;
    else ranges.push({ elements: size, factor });
  }
  return ranges.every(({ factor }) => factor === 1) ? undefined : ranges;
}

/** How many elements at the full rate would move as far together, as the norm measures it. */
export function fullRateElements(size: number, rates: readonly RateRange[] | undefined): number {
  return rates ? rates.reduce((sum, { elements, factor }) => sum + elements * factor ** 2, 0) : size;
}

/** To which power a parameter's decay is, by its name. Each stack of blocks counts by itself: an encoder, a decoder. */
function powers(whole: ParameterLayout): (name: string) => number {
  const blocks = new Map<string, number>();
  for (const { name } of whole.entries) {
    const { stack, index } = BLOCK.exec(name)?.groups ?? {};
    if (stack !== undefined) blocks.set(stack, Math.max(blocks.get(stack) ?? 0, Number(index) + 1));
  }
  if (blocks.size === 0)
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option('layerLrDecay')} is of models with blocks, whose parameters have a number between dots in their names; this ` +
        `model's are ${whole.entries
          .slice(0, 4)
          .map(({ name }) => name)
          .join(', ')}. Name its parameters with ${option('lrScale')}.`,
    );
  const most = Math.max(...blocks.values());
  const below = belowBlocks(whole);
  return (name) => {
    const { stack, index } = BLOCK.exec(name)?.groups ?? {};
    if (stack !== undefined) return blocks.get(stack)! - 1 - Number(index);
    return below.has(name) ? most : 0;
  };
}

/** The names that come before the first block, of matrices and of vectors, which a layout holds one after the other. */
function belowBlocks({ entries, decayed }: ParameterLayout): ReadonlySet<string> {
  const below = new Set<string>();
  for (const group of [
    entries.filter(({ offset }) => offset < decayed),
    entries.filter(({ offset }) => offset >= decayed),
  ]) {
    const first = group.findIndex(({ name }) => BLOCK.test(name));
    for (const { name } of group.slice(0, Math.max(0, first))) below.add(name);
  }
  return below;
}

function scaleOf(text: string, { entries }: ParameterLayout): { pattern: NamePattern; factor: number } {
  const at = text.lastIndexOf('=');
  const [name, digits] = [text.slice(0, Math.max(0, at)).trim(), text.slice(at + 1).trim()];
  const factor = digits === '' ? Number.NaN : Number(digits);
  if (name === '' || !(factor > 0 && factor <= LARGEST))
    throw spelledError(
      UsageError,
      ({ option }) =>
        `${option('lrScale', text)}: expected PATTERN=FACTOR with a factor above 0 and at most ${LARGEST}, such as ` +
        `${option('lrScale', 'lora_B.*=4')}. What is not to learn at all is named by ${option('freeze')}.`,
    );
  const pattern = new NamePattern(name);
  if (entries.some((entry) => pattern.fits(entry.name))) return { pattern, factor };
  throw spelledError(UsageError, ({ option }) => {
    const kinds = [...new Set(entries.map((entry) => entry.name.replace(/\.\d+\./, '.*.')))].join(', ');
    return (
      `${option('lrScale', text)} fits nothing that is trained. A pattern stands for a whole name, or for its end after a ` +
      `dot; * is any characters, ? one, [0-2] one of some. There are ${kinds}.`
    );
  });
}
