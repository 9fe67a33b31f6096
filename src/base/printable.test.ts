import { expect, test } from 'vitest';
import { printable, printableLine } from './printable.js';

const hostile = '\x1b]0;title\x07\x1b[2J\u009b31m\x7f\r\nfake\tline \u202etxt.exe\u0000';

test('what a terminal would obey is shown', () => {
  expect(printable(hostile)).toBe('\\x1b]0;title\\x07\\x1b[2J\\x9b31m\\x7f\\r\nfake\tline \\u202etxt.exe\\x00');
  expect(printableLine(hostile)).toContain('\\r\\nfake\\tline');
  expect(printable(printable(hostile))).toBe(printable(hostile));
});

test('all other text stays as it is', () => {
  const text = 'naïve 漢字 😀 \u200f\\x1b é́';
  expect(printable(text)).toBe(text);
  expect(printableLine(text)).toBe(text);
});
