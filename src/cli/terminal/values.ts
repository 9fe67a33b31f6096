import { InvalidArgumentError } from 'commander';
import { inRange, NUMBERS, type NumberRange, rangeInWords } from '../../base/option-table.js';

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** Reads the value of an option. @throws InvalidArgumentError that says what was expected */
export type ValueReader<T = number> = (text: string) => T;

/** A whole number from 0; `1e6` is one. */
export const whole = numberReader(NUMBERS.whole);
/** A whole number from 1; `1e6` is one. */
export const count = numberReader(NUMBERS.count);

/** Reads numbers of a range. */
export function numberReader(range: NumberRange): ValueReader;
/** Reads numbers of a range, or a word in their place. */
export function numberReader(range: NumberRange, or: string | undefined): ValueReader<number | string>;
export function numberReader(range: NumberRange, or?: string): ValueReader<number | string> {
  const expected = `Expected ${rangeInWords(range)}${or === undefined ? '' : `, or ${or}`}.`;
  return (text) => {
    if (text === or) return text;
    const value = NUMBER.test(text.trim()) ? Number(text) : Number.NaN;
    if (!inRange(value, range)) throw new InvalidArgumentError(expected);
    return value;
  };
}
