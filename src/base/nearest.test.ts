import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, nearestNames, plain } from './nearest.js';

test.each([
  ['', '', 0],
  ['kitten', 'sitting', 3],
  ['h100', 'h010', 1],
  ['ab', '', 2],
  ['a100', 'h100', 1],
  ['abcd', 'badc', 2],
])('%j to %j takes %d edits', (a, b, edits) => {
  expect(editDistance(a, b)).toBe(edits);
});

test('a distance is symmetric, zero only for equals, and never more than the longer text', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
      const edits = editDistance(a, b);
      expect(edits).toBe(editDistance(b, a));
      expect(edits === 0).toBe(a === b);
      expect(edits).toBeLessThanOrEqual(Math.max(a.length, b.length));
    }),
  );
});

test('names that contain the word come first, then those with the fewest edits', () => {
  expect(nearestNames('H10O', ['A100-SXM', 'H100-SXM', 'TPUv4', 'H100'], 2)).toEqual(['H100', 'H100-SXM']);
  expect(nearestNames('sxm', ['TPU', 'A100-SXM'], 1)).toEqual(['A100-SXM']);
  expect(nearestNames('gtp2', ['gpt-1t', 'nano', 'gpt2-124m', 'gpt2-1.5b'], 2)).toEqual(['gpt2-124m', 'gpt2-1.5b']);
  expect(nearestNames('x'.repeat(1e6), ['a', 'b'], 1)).toEqual(['a']);
});

test('punctuation and case do not count', () => {
  expect(plain('A100-SXM (DGX-A100)')).toBe('a100sxmdgxa100');
});
