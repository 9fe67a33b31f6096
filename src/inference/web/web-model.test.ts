import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { CharsTokenizer } from '../../data/tokenizers/chars.js';
import { PRECISIONS } from '../precision.js';
import { load } from './web-model.js';

const fixture = (family: string, name: string) =>
  readFile(new URL(`../../../test/fixtures/models/${family}/${name}`, import.meta.url));

/** A fixture's files, with a tokenizer that has a character for each of its tokens. */
async function filesOf(family: string) {
  const config = await fixture(family, 'config.json');
  const { vocab_size: size } = JSON.parse(config.toString());
  const tokenizer = new CharsTokenizer(Array.from({ length: size }, (_, id) => 0x30 + id));
  return {
    ...tokenizer.files(),
    'config.json': config as Uint8Array,
    'model.safetensors': (await fixture(family, 'model.safetensors')) as Uint8Array,
  };
}

// ONNX Runtime's WASM files also load in Node; test/browser has the same in Chromium, beside what Node writes.
describe('load of a page', () => {
  it.each(PRECISIONS)('writes, and is closed: %s', async (precision) => {
    const model = await load(await filesOf('llama-tied'), { precision });
    const { text, tokens } = await model
      .generate({ prompt: '0', temperature: 0, maxTokens: 8, stopAtEnd: false })
      .result();
    expect([text.length, tokens]).toEqual([8, 8]);
    await model.close();
    await model.close();
    expect(() => model.generate()).toThrow('The model is closed');
  });

  it('refuses what does not write, and files that are missing', async () => {
    await expect(load(await filesOf('bert'))).rejects.toThrow('A bert model reads all of a text at once');
    const { 'tokenizer.json': _, ...files } = await filesOf('llama');
    await expect(load(files)).rejects.toThrow('the model has no tokenizer.json');
    await expect(load({})).rejects.toThrow('the model has no config.json');
    await expect(load({}, { threads: 0 })).rejects.toThrow('`threads`');
  });
});
