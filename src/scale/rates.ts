import { UsageError } from '../base/errors.js';

/** A run that tried a learning rate; a diverged one has an infinite loss. */
export interface RateTrial {
  readonly rate: number;
  readonly loss: number;
}

/** rate = coefficient · parameters^exponent. */
export interface RateLaw {
  readonly coefficient: number;
  readonly exponent: number;
}

/** Rates are tried by factors of two. */
const FACTOR = 2;
/** How far from the guess the search may go, in factors. */
const FURTHEST = 4;

/** Where the search for the best rate begins: 3e-3 at a million parameters, by the cube root of the size. */
export function guessedRate(parameters: number): number {
  return 3e-3 * Math.cbrt(1e6 / parameters);
}

/** Of a search for the best rate: what to try next, or what it came to. */
export type RateSearch = { readonly next: readonly number[] } | { readonly best: number };

/**
 * Decides how a search goes on: half, once and twice the guess first, then outwards as long as the lowest loss lies at an
 * edge; then the lowest point of the parabola through the best and its neighbours in the logarithm of the rate.
 *
 * @param trials in any order; rates are compared to a part in a million
 */
export function searchRate(guess: number, trials: readonly RateTrial[]): RateSearch {
  const byPower = new Map<number, number>();
  for (const { rate, loss } of trials) byPower.set(Math.round(Math.log(rate / guess) / Math.log(FACTOR)), loss);
  const first = [-1, 0, 1].filter((power) => !byPower.has(power));
  const rateAt = (power: number) => guess * FACTOR ** power;
  if (first.length > 0) return { next: first.map(rateAt) };
  const tried = [...byPower.keys()].sort((a, b) => a - b);
  const best = tried.reduce((least, power) => (byPower.get(power)! < byPower.get(least)! ? power : least));
  if (!Number.isFinite(byPower.get(best)!)) {
    if (tried[0]! > -FURTHEST) return { next: [rateAt(tried[0]! - 1)] };
    throw new UsageError(
      `Every learning rate from ${rateAt(tried[0]!).toPrecision(2)} to ${rateAt(tried.at(-1)!).toPrecision(2)} diverged. Look at the text; a larger batch helps.`,
    );
  }
  const edge = best === tried[0] ? best - 1 : best === tried.at(-1) ? best + 1 : undefined;
  if (edge === undefined) return { best: rateAt(best + vertex(byPower, best)) };
  return Math.abs(edge) <= FURTHEST ? { next: [rateAt(edge)] } : { best: rateAt(best) };
}

/** The place of the lowest point of the parabola through three neighbours, from the middle one, within half a step. */
function vertex(losses: ReadonlyMap<number, number>, middle: number): number {
  const [left, here, right] = [-1, 0, 1].map((by) => losses.get(middle + by)!) as [number, number, number];
  const bend = left - 2 * here + right;
  if (!(bend > 0) || !Number.isFinite(bend)) return 0;
  return Math.max(-0.5, Math.min(0.5, (left - right) / (2 * bend)));
}

/** The power law through the best rates of two sizes. */
export function rateLaw([a, b]: readonly [
  { readonly parameters: number; readonly rate: number },
  { readonly parameters: number; readonly rate: number },
]): RateLaw {
  const exponent = Math.log(b.rate / a.rate) / Math.log(b.parameters / a.parameters);
  return { coefficient: a.rate / a.parameters ** exponent, exponent };
}

export function rateFor({ coefficient, exponent }: RateLaw, parameters: number): number {
  return coefficient * parameters ** exponent;
}
