import { describe, expect, it } from 'vitest';
import { BYTE_CHARACTERS } from './byte-level.js';
import { ForeignTokenizer } from './foreign.js';

const json = {
  version: '1.0',
  added_tokens: [
    { id: 258, content: '</s>', single_word: false, lstrip: false, rstrip: false, normalized: false, special: true },
  ],
  normalizer: { type: 'Lowercase' },
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: null,
  decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  model: {
    type: 'BPE',
    vocab: Object.fromEntries([...BYTE_CHARACTERS, 'ab', 'abc', '</s>'].map((name, id) => [name, id])),
    merges: ['a b', 'ab c'],
  },
};
const files = { 'tokenizer.json': JSON.stringify(json), 'tokenizer_config.json': '{}' };
const tokenizer = new ForeignTokenizer(json, { eos_token: { content: '</s>' } }, files);

describe('ForeignTokenizer', () => {
  it('encodes and decodes as its files say', () => {
    expect([...tokenizer.encode('ABCab')]).toEqual([257, 256]);
    expect([...tokenizer.encode(Buffer.from('Abc'))]).toEqual([257]);
    expect(tokenizer.decode([257, 258])).toBe('abc</s>');
    expect(tokenizer.decode([])).toBe('');
    expect([tokenizer.vocabularySize, tokenizer.endOfText, tokenizer.lastCut()]).toEqual([259, 258, 0]);
    expect(() => tokenizer.decode([259])).toThrow(/Unknown token id 259/);
    expect(tokenizer.files()).toBe(files);
    expect(tokenizer.mask).toBeUndefined();
    expect(new ForeignTokenizer(json, { eos_token: null, mask_token: '</s>' }, files)).toMatchObject({
      mask: 258,
      endOfText: undefined,
    });
  });

  it('streams whole characters, also over many tokens', () => {
    const text = 'abc😀é漢 and some more text, ab ab ab';
    const stream = tokenizer.streamDecoder();
    const shown = Array.from(tokenizer.encode(text), (id) => stream.push([id]));
    expect(shown.join('') + stream.end()).toBe(text);
    expect(shown.some((part) => part.includes('\ufffd'))).toBe(false);
  });

  it('ends a regular expression that would go on for years', { timeout: 60_000 }, () => {
    const split = { type: 'Split', pattern: { Regex: '^(?:a|aa)+$' }, behavior: 'Isolated', invert: false };
    const endless = new ForeignTokenizer({ ...json, pre_tokenizer: split }, {}, files);
    expect([...endless.encode('ab')]).toEqual([256]);
    expect(() => endless.encode(`${'a'.repeat(90)}b`)).toThrow(/not come to an end .* 91 characters .* within 10 s/);
  });
});
