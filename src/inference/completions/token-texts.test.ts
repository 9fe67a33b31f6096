import { expect, it } from 'vitest';
import { loadTokenizer } from '../../data/index.js';
import { TokenTexts } from './token-texts.js';

const folder = new URL('../../../test/fixtures/sentence/tiny/0_Transformer', import.meta.url).pathname;

it('takes texts of special tokens for those, or for the characters that they are written in', async () => {
  const tokenizer = await loadTokenizer(folder);
  const texts = new TokenTexts(tokenizer, { ...tokenizer.files() });
  const { mask } = tokenizer;
  expect(mask).toBeDefined();
  expect(texts.encode('cat [MASK] dog', true)).toEqual([
    ...tokenizer.around!.before,
    ...tokenizer.encode('cat'),
    mask,
    ...tokenizer.encode('dog'),
  ]);
  const plain = texts.encode('cat [MASK] dog[MASK][MASK]', false);
  expect(plain).not.toContain(mask);
  expect(plain.slice(0, 1)).toEqual([...tokenizer.encode('cat')].slice(0, 1));
  expect(texts.encode('cat dog', false)).toEqual([...tokenizer.encode('cat dog')]);
});
