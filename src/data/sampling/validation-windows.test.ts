import { expect, it } from 'vitest';
import { validationWindows } from './validation-windows.js';

it('lies end to end where everything fits', () => {
  expect(validationWindows({ length: 41 }, 10)).toEqual([0, 10, 20, 30]);
  expect(validationWindows({ length: 40 }, 10)).toEqual([0, 10, 20]);
  expect(validationWindows({ length: 11 }, 10)).toEqual([0]);
});

it('is spread evenly over a longer text, at most so many tokens', () => {
  expect(validationWindows({ length: 1001 }, 10, 45)).toEqual([0, 250, 500, 750]);
  expect(validationWindows({ length: 10_000 }, 100, 50)).toEqual([0]);
  const starts = validationWindows({ length: 1_000_000 }, 64);
  expect(starts.length).toBe(1024);
  const gaps = starts.slice(1).map((start, i) => start - starts[i]!);
  expect(Math.max(...gaps) - Math.min(...gaps)).toBe(64);
  expect(starts.at(-1)! + 65).toBeLessThanOrEqual(1_000_000);
});

it('needs one window', () => {
  expect(() => validationWindows({ length: 10 }, 10)).toThrow(/validation part has 10 tokens/);
});
