import { expect, test } from 'vitest';
import { bits, bytes, dollars, percent, quantity, time } from './units.js';

test.each([
  [bytes(0), '0 B'],
  [bytes(34.06e9), '34.1 GB'],
  [bytes(999.6e6), '1 GB'],
  [bits(50e9), '400 Gb/s'],
  [bits(Number.POSITIVE_INFINITY), 'any'],
  [time(0), '0 s'],
  [time(0.00012), '120 µs'],
  [time(0.34), '340 ms'],
  [time(2.414), '2.41 s'],
  [time(600), '10 min'],
  [time(36_000), '10 h'],
  [time(86_400 * 12.54), '12.5 days'],
  [time(86_400 * 36_525), '100 years'],
  [time(Number.POSITIVE_INFINITY), 'never'],
  [percent(0.2345), '23.4 %'],
  [dollars(null), 'unknown'],
  [dollars(12.345), '$12.3'],
  [dollars(471_234.5), '$471,235'],
  [dollars(1_234_567), '$1.23 M'],
  [quantity(17_180_859_392), '17.2 G'],
  [quantity(512), '512'],
])('%s', (text, expected) => {
  expect(text).toBe(expected);
});
