import type { TimeConstants } from '../catalogue/constant-types.js';
import type { Accelerator, Precision } from '../types.js';

/** Formats to look for when a card has no rate in one: what the product runs in instead. */
const fallbacks: Readonly<Record<Precision, readonly Precision[]>> = {
  fp32: ['fp32', 'tf32'],
  tf32: ['tf32', 'fp32'],
  fp16: ['fp16', 'bf16', 'tf32', 'fp32'],
  bf16: ['bf16', 'fp16', 'tf32', 'fp32'],
  fp8: ['fp8', 'bf16', 'fp16', 'fp32'],
  mxfp8: ['mxfp8', 'fp8', 'bf16', 'fp16', 'fp32'],
  nvfp4: ['nvfp4', 'mxfp8', 'fp8', 'bf16', 'fp16', 'fp32'],
};

/**
 * FLOP/s that large products sustain: the measured rate; for a format that was not measured, the datasheet's times
 * the share that the card's other formats reached (it is power that limits), or the usual share.
 */
export function sustainedRate(card: Accelerator, precision: Precision, k: TimeConstants): number {
  let known = rates.get(card);
  if (known?.of !== k) {
    known = { of: k, byFormat: new Map() };
    rates.set(card, known);
  }
  const rate = known.byFormat.get(precision) ?? findRate(card, precision, k);
  known.byFormat.set(precision, rate);
  return rate;
}

/** Rates that were found: a search asks for the same ones a hundred thousand times. */
const rates = new WeakMap<Accelerator, { readonly of: TimeConstants; readonly byFormat: Map<Precision, number> }>();

function findRate(card: Accelerator, precision: Precision, k: TimeConstants): number {
  // Power goes with frequency and the square of voltage, which goes with frequency.
  const clock = Math.cbrt(card.powerShare ?? 1);
  for (const format of fallbacks[precision]) {
    const measured = card.measuredRates[format];
    if (measured) return measured * clock;
    const rate = card.rates[format];
    if (rate) {
      const share = measuredShare(card, format) ?? k.sustainedRate;
      return clock * rate * share * (format === 'nvfp4' ? k.fourBitShare : 1);
    }
  }
  throw new Error(`${card.name} has no rate of products in ${precision} or what could stand for it`);
}

/** Share of the datasheet's rate that the nearest measured format reaches. */
function measuredShare(card: Accelerator, precision: Precision): number | undefined {
  for (const format of precision === 'fp16' ? (['bf16'] as const) : fallbacks[precision]) {
    const measured = card.measuredRates[format];
    const rate = card.rates[format];
    if (measured && rate) return measured / rate;
  }
  return undefined;
}

/** FLOP/s of the datasheet in a format, or in the one that stands for it. */
export function datasheetRate(card: Accelerator, precision: Precision): number {
  for (const format of fallbacks[precision]) {
    const rate = card.rates[format];
    if (rate) return rate;
  }
  throw new Error(`${card.name} has no rate of products in ${precision} or what could stand for it`);
}

/** Bytes of an element of a product's operands. */
export const operandBytes: Readonly<Record<Precision, number>> = {
  fp32: 4,
  tf32: 4,
  fp16: 2,
  bf16: 2,
  fp8: 1,
  mxfp8: 1.03,
  nvfp4: 0.56,
};

/** Rate of a card that has as many multiprocessors as `waveElements` is meant for (A100); slower ones have fewer. */
const WAVE_RATE = 2.7e14;

/**
 * Seconds of `count` products [m × k]·[k × n] started at once: arithmetic at the sustained rate, and operands and result over the memory bus. The sum,
 * not the larger of the two, since a product's first and last tiles wait for memory: thin products (one of m, n, k
 * under some hundreds) come out slow as they are, by the ratio of 1/m + 1/n + 1/k to the card's balance of FLOP and
 * bytes. Results of few tiles leave multiprocessors idle in the last wave.
 *
 * @param rate FLOP/s; @param bandwidth bytes/s of memory that products reach
 * @param bytes of an operand's element; results have two
 */
export function matrixTime(
  m: number,
  n: number,
  k: number,
  count: number,
  rate: number,
  bandwidth: number,
  bytes: number,
  c: TimeConstants,
): number {
  const traffic = count * ((m * k + k * n) * bytes + m * n * 2);
  const wave = c.waveElements * Math.min(1, rate / WAVE_RATE);
  const waves = 1 + wave / (2 * count * m * n);
  return ((2 * count * m * n * k) / rate) * waves + traffic / bandwidth + c.launch;
}
