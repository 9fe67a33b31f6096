import { expect, it } from 'vitest';
import { vocabularyFor } from './vocabulary-for.js';

it('grows with the text, between bounds', () => {
  const sizes = [0, 100, 96_000, 100_000, 300_000, 1_000_000, 4_194_304, 1e9].map(vocabularyFor);
  expect(sizes).toEqual([320, 320, 320, 333, 1000, 2000, 4096, 4096]);
});
