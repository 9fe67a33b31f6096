import { InvalidArgumentError } from 'commander';

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** Reads the value of an option. @throws InvalidArgumentError that says what was expected */
export type ValueReader<T = number> = (text: string) => T;

/** A number, such as `0.1` or `3e-3`. */
export const number = reader('a number, such as 0.1 or 3e-3', Number.isFinite);
export const positive = reader('a number above 0', (value) => value > 0);
export const notNegative = reader('a number of 0 or more', (value) => value >= 0);
export const fraction = reader('a number above 0 and below 1, such as 0.1', (value) => value > 0 && value < 1);
/** A whole number from 0; `1e6` is one. */
export const whole = reader('a whole number of 0 or more', (value) => Number.isSafeInteger(value) && value >= 0);
/** A whole number from 1; `1e6` is one. */
export const count = reader('a whole number of 1 or more', isCount);

const countBeside = reader('a whole number of 1 or more, or auto', isCount);
/** A {@link count} or the word `auto`. */
export const countOrAuto: ValueReader<number | 'auto'> = (text) => (text === 'auto' ? text : countBeside(text));

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

function reader(expected: string, accepts: (value: number) => boolean): ValueReader {
  return (text) => {
    const value = NUMBER.test(text.trim()) ? Number(text) : Number.NaN;
    if (!Number.isFinite(value) || !accepts(value)) throw new InvalidArgumentError(`Expected ${expected}.`);
    return value;
  };
}
