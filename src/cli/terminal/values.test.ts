import { expect, test } from 'vitest';
import { NUMBERS } from '../../base/option-table.js';
import { count, numberReader, type ValueReader, whole } from './values.js';

const [number, positive, notNegative, fraction] = (['number', 'positive', 'notNegative', 'fraction'] as const).map(
  (kind) => numberReader(NUMBERS[kind]),
) as [ValueReader, ValueReader, ValueReader, ValueReader];

const countOrAuto = numberReader(NUMBERS.count, 'auto');

test('numbers are read as they are written', () => {
  expect(['0.1', '3e-3', '-2', '.5', '5.', '1E6'].map(number)).toEqual([0.1, 0.003, -2, 0.5, 5, 1e6]);
  expect(countOrAuto('2')).toBe(2);
  expect(countOrAuto('auto')).toBe('auto');
  expect(count('1e6')).toBe(1_000_000);
  expect(whole('0')).toBe(0);
  expect(notNegative('0')).toBe(0);
  expect(fraction('0.5')).toBe(0.5);
  expect(positive('1e-9')).toBe(1e-9);
});

test.each([
  [number, ['', ' ', 'abc', '0x10', '1,5', 'Infinity', 'NaN', '1e999', '1 2'], 'a number'],
  [positive, ['0', '-1'], 'above 0'],
  [notNegative, ['-0.1'], '0 or more'],
  [fraction, ['0', '1', '2'], 'above 0 and below 1'],
  [whole, ['-1', '0.5', '1e300'], 'whole number of 0 or more'],
  [count, ['0', '-1', '1.5', '1e300'], 'whole number of 1 or more'],
  [countOrAuto, ['0', 'all', '1.5'], 'or auto'],
])('%o refuses %j and says what it expects', (read, texts, expected) => {
  for (const text of texts) expect(() => read(text), text).toThrow(expected);
});
