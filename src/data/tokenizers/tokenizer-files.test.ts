import { expect, it } from 'vitest';
import { bpeFiles, charsFiles, END_OF_TEXT } from './tokenizer-files.js';

it('describes characters as WordLevel over single code points', () => {
  const files = charsFiles(['7', '__proto__', '\n', '漢']);
  const json = JSON.parse(files['tokenizer.json']);
  expect(json.pre_tokenizer).toEqual({
    type: 'Split',
    pattern: { Regex: '[\\s\\S]' },
    behavior: 'Isolated',
    invert: false,
  });
  expect(Object.entries(json.model.vocab)).toEqual([
    ['7', 0],
    ['__proto__', 1],
    ['\n', 2],
    ['漢', 3],
  ]);
  expect(json.model.vocab).not.toHaveProperty(json.model.unk_token);
  expect(json.added_tokens).toEqual([]);
  expect(JSON.parse(files['tokenizer_config.json'])).toEqual({
    tokenizer_class: 'PreTrainedTokenizerFast',
    clean_up_tokenization_spaces: false,
  });
});

it('describes byte-level BPE with its special token', () => {
  const tokens = [new Uint8Array(0), Uint8Array.of(0x20), Uint8Array.of(0x61), Uint8Array.of(0x20, 0x61)];
  const files = bpeFiles({ tokens, merges: [[1, 2]], special: new Map([[0, END_OF_TEXT]]) }, true);
  const json = JSON.parse(files['tokenizer.json']);
  expect(json.model.vocab).toEqual({ '<|endoftext|>': 0, Ġ: 1, a: 2, Ġa: 3 });
  expect(json.model.merges).toEqual([['Ġ', 'a']]);
  expect(json.added_tokens).toMatchObject([{ id: 0, content: END_OF_TEXT, special: true }]);
  expect(json.pre_tokenizer).toMatchObject({ type: 'ByteLevel', add_prefix_space: false, use_regex: true });
  expect(JSON.parse(files['tokenizer_config.json']).eos_token).toBe(END_OF_TEXT);
});
