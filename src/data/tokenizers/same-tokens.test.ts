import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { parseTokenizer } from './parse.js';
import { tokenDifference } from './same-tokens.js';

const folder = new URL('../../../test/fixtures/tokenizers/', import.meta.url);

interface Json {
  normalizer: unknown;
  readonly model: { readonly vocab: Record<string, number> };
}

/** A tokenizer of Python's fixtures, changed. */
async function tokenizer(name: string, change?: (json: Json) => void) {
  const [json, config] = await Promise.all(
    ['tokenizer.json', 'tokenizer_config.json'].map((file) => readFile(new URL(`${name}/${file}`, folder), 'utf8')),
  );
  const content = JSON.parse(json!) as Json;
  change?.(content);
  return parseTokenizer({ 'tokenizer.json': JSON.stringify(content), 'tokenizer_config.json': config! }, name);
}

it.each(['bpe', 'bytes', 'chars'])('%s: finds no difference between equal tokenizers', async (name) => {
  expect(tokenDifference(await tokenizer(name), await tokenizer(name))).toBeUndefined();
});

it('finds none between one that is made here and the same run by another program', async () => {
  // A normalizer that changes nothing is nothing that is made here.
  const other = await tokenizer('bpe', (json) => {
    json.normalizer = { type: 'Sequence', normalizers: [] };
  });
  expect(other.kind).toBe('foreign');
  expect(tokenDifference(await tokenizer('bpe'), other)).toBeUndefined();
});

it('tells the first token that differs, or how many there are', async () => {
  const own = await tokenizer('bpe');
  const swapped = await tokenizer('bpe', ({ model: { vocab } }) => {
    const [[first, id], [second, other]] = Object.entries(vocab).slice(100, 102) as [
      [string, number],
      [string, number],
    ];
    vocab[first] = other;
    vocab[second] = id;
  });
  expect(tokenDifference(own, swapped)).toMatch(/^token \d+ is ".+" and ".+"$/);
  expect(tokenDifference(own, await tokenizer('bytes'))).toMatch(/^\d+ entries and \d+$/);
});

it('finds that texts are cut apart in another way', async () => {
  const lower = await tokenizer('bpe', (json) => {
    json.normalizer = { type: 'Lowercase' };
  });
  expect(tokenDifference(await tokenizer('bpe'), lower)).toMatch(/is cut into other tokens$/);
});
