import { expect, test } from 'vitest';
import { duration, grouped, loss, shellQuote, short } from './format.js';

test('large numbers get three digits and a unit', () => {
  expect([0, 7, 999, 1000, 1234567, 999_999, 45_678, 2.5e9, 1e16].map(short)).toEqual([
    '0',
    '7',
    '999',
    '1k',
    '1.23M',
    '1M',
    '45.7k',
    '2.5G',
    '10000T',
  ]);
  expect(short(Number.NaN)).toBe('NaN');
  expect(grouped(1234567)).toBe('1,234,567');
});

test('durations are told in two units at most', () => {
  expect([0, 0.4, 59.4, 59.6, 185, 7800, -1].map(duration)).toEqual([
    '0 s',
    '0 s',
    '59 s',
    '1 min 0 s',
    '3 min 5 s',
    '2 h 10 min',
    '0 s',
  ]);
  expect(duration(Number.POSITIVE_INFINITY)).toBe('unknown');
});

test('a loss that is none is a dash', () => {
  expect([1.23456, undefined, null, Number.NaN].map(loss)).toEqual(['1.235', '-', '-', '-']);
});

test('arguments are quoted where a shell would split or read them', () => {
  expect(['runs/a-1.b', 'my book.txt', "it's", '$HOME', ''].map(shellQuote)).toEqual([
    'runs/a-1.b',
    "'my book.txt'",
    "'it'\\''s'",
    "'$HOME'",
    "''",
  ]);
});
