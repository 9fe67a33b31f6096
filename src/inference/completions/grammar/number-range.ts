import { MOST_DIGITS } from './json-text.js';
import { characters, choice, EMPTY, literal, oneOf, optional, type Piece, repeat, sequence } from './rules.js';

const DIGIT = oneOf('0-9');
/** The largest whole number that is written. */
const LARGEST = 10 ** MOST_DIGITS - 1;
const NOTHING = characters([]);

/** Whole numbers from `low` to `high`, as JSON writes them; those of more than 15 digits are left out. */
export function integersBetween(low: number, high: number): Piece {
  const [from, to] = [Math.max(Math.ceil(low), -LARGEST), Math.min(Math.floor(high), LARGEST)];
  const options: Piece[] = [];
  if (to >= 0 && from <= to) options.push(digitsBetween(Math.max(from, 0), to));
  if (from < 0 && from <= to) options.push(sequence(literal('-'), digitsBetween(Math.max(1, -to), -from)));
  return options.length === 0 ? NOTHING : choice(...options);
}

/** A bound of a number, whole and of at most {@link LARGEST_BOUND}. */
export interface NumberBound {
  readonly value: number;
  readonly exclusive: boolean;
}

/** With five digits after the point, numbers up to this are told apart by a double, and so are within their bounds. */
export const LARGEST_BOUND = 1e9;

/** Numbers between two whole bounds, without exponent and with at most five digits after the point. */
export function numbersBetween(low: NumberBound, high: NumberBound): Piece {
  const options: Piece[] = [];
  if (high.value >= 0) options.push(positive(low.value < 0 ? { value: 0, exclusive: false } : low, high));
  if (low.value < 0) {
    const nearest = high.value > 0 ? { value: 0, exclusive: false } : { ...high, value: -high.value };
    options.push(sequence(literal('-'), positive(nearest, { ...low, value: -low.value })));
  }
  return options.length === 0 ? NOTHING : choice(...options);
}

const FRACTION = sequence(literal('.'), repeat(DIGIT, 1, 5));
const SOME_FRACTION = sequence(
  literal('.'),
  choice(
    ...[0, 1, 2, 3, 4].map((zeros) => sequence(literal('0'.repeat(zeros)), oneOf('1-9'), repeat(DIGIT, 0, 4 - zeros))),
  ),
);

function positive(low: NumberBound, high: NumberBound): Piece {
  if (low.value > high.value) return NOTHING;
  const options: Piece[] = [];
  if (low.value < high.value) {
    options.push(sequence(literal(`${low.value}`), low.exclusive ? SOME_FRACTION : optional(FRACTION)));
    if (low.value + 1 < high.value)
      options.push(sequence(digitsBetween(low.value + 1, high.value - 1), optional(FRACTION)));
  }
  const ends = low.value === high.value && low.exclusive;
  if (!high.exclusive && !ends) options.push(literal(`${high.value}`));
  return options.length === 0 ? NOTHING : choice(...options);
}

/** Decimal digits of the whole numbers from `low` to `high`, 0 or more, without zeros before them. */
function digitsBetween(low: number, high: number): Piece {
  const options: Piece[] = [];
  for (let length = `${low}`.length; length <= `${high}`.length; length++) {
    const least = Math.max(low, length === 1 ? 0 : 10 ** (length - 1));
    const most = Math.min(high, 10 ** length - 1);
    options.push(sameLength(`${least}`, `${most}`));
  }
  return choice(...options);
}

function sameLength(low: string, high: string): Piece {
  if (low === '') return EMPTY;
  if (/^0*$/.test(low) && /^9*$/.test(high)) return repeat(DIGIT, low.length, low.length);
  const [first, last] = [Number(low[0]), Number(high[0])];
  const [lowRest, highRest] = [low.slice(1), high.slice(1)];
  if (first === last) return sequence(literal(low[0]!), sameLength(lowRest, highRest));
  const rest = lowRest.length;
  const options = [sequence(literal(low[0]!), sameLength(lowRest, '9'.repeat(rest)))];
  if (last - first > 1) options.push(sequence(oneOf(`${first + 1}-${last - 1}`), repeat(DIGIT, rest, rest)));
  options.push(sequence(literal(high[0]!), sameLength('0'.repeat(rest), highRest)));
  return choice(...options);
}
