import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BytesTokenizer } from './bytes.js';
import { loadTokenizer } from './load.js';
import { parseTokenizer } from './parse.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meanfield-load-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

describe('loadTokenizer', () => {
  it('reads a tokenizer without its configuration', async () => {
    write('tokenizer.json', new BytesTokenizer().files()['tokenizer.json']);
    expect(await loadTokenizer(folder)).toBeInstanceOf(BytesTokenizer);
  });

  it('reads a foreign one through @huggingface/tokenizers', async () => {
    const model = { type: 'WordLevel', vocab: { hello: 0, world: 1, '[UNK]': 2 }, unk_token: '[UNK]' };
    const json = {
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'WhitespaceSplit' },
      post_processor: null,
      decoder: null,
      model,
    };
    write('tokenizer.json', JSON.stringify(json));
    const tokenizer = await loadTokenizer(folder);
    expect(tokenizer.kind).toBe('foreign');
    expect([...tokenizer.encode('world  hello')]).toEqual([1, 0]);
  });

  it.each([
    ['not JSON', '{', /tokenizer\.json is not valid JSON/],
    ['an array', '[]', /must hold a JSON object/],
    ['an empty object', '{}', /is not a tokenizer that can be read/],
    ['an unknown model', '{"model":{"type":"Nonsense"}}', /is not a tokenizer that can be read/],
    ['a model that is no object', '{"model":7,"added_tokens":3}', /is not a tokenizer that can be read/],
  ])('refuses %s', async (_, text, message) => {
    write('tokenizer.json', text);
    await expect(loadTokenizer(folder)).rejects.toThrow(message);
  });

  it('says which file is missing or damaged', async () => {
    await expect(loadTokenizer(folder)).rejects.toThrow(/Cannot read the tokenizer.*tokenizer\.json/);
    const files = { ...new BytesTokenizer().files(), 'tokenizer_config.json': 'x' };
    await expect(parseTokenizer(files, 'model')).rejects.toThrow(/model.tokenizer_config\.json is not valid JSON/);
  });
});
