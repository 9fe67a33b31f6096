import { describe, expect, it } from 'vitest';
import { BpeTokenizer } from './bpe.js';
import { BYTE_CHARACTERS } from './byte-level.js';
import { BytesTokenizer } from './bytes.js';
import { CharsTokenizer } from './chars.js';
import { nativeTokenizer } from './parse-files.js';

/** A BPE as in GPT-2's own tokenizer.json: bytes first, merges as strings, the special token last. */
function gpt2Like() {
  const vocab: Record<string, number> = Object.fromEntries(BYTE_CHARACTERS.map((c, byte) => [c, byte]));
  Object.defineProperty(vocab, '__', { value: 256, enumerable: true });
  return {
    version: '1.0',
    added_tokens: [
      {
        id: 257,
        content: '<|endoftext|>',
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: true,
        special: true,
      },
    ],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true },
    post_processor: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true },
    model: {
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: '',
      end_of_word_suffix: '',
      fuse_unk: false,
      vocab,
      merges: ['_ _'],
    },
  };
}

const bytesAlone = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };

function masked(vocab: Record<string, number>, id: number, content = '[MASK]') {
  const json = JSON.parse(new CharsTokenizer([0x61], { mask: true }).files()['tokenizer.json']);
  return { ...json, added_tokens: [{ ...json.added_tokens[0], id, content }], model: { ...json.model, vocab } };
}

function withModel(change: object, top: object = {}) {
  const json = gpt2Like();
  return { ...json, ...top, model: { type: 'BPE', ...json.model, ...change } };
}

describe('nativeTokenizer', () => {
  it('reads GPT-2 as ours', () => {
    const tokenizer = nativeTokenizer(withModel({}));
    expect(tokenizer).toBeInstanceOf(BpeTokenizer);
    expect([...tokenizer!.encode('___<|endoftext|>')]).toEqual([256, 95, 257]);
    expect([tokenizer!.endOfText, tokenizer!.vocabularySize]).toEqual([257, 258]);
  });

  it('reads back a vocabulary with names that JavaScript objects have', () => {
    const names = ['__proto__', 'constructor'];
    const vocab = JSON.parse(
      `{${Object.entries(gpt2Like().model.vocab).map(([k, v]) => `${JSON.stringify(k)}:${v}`)}, "__p": 257, "__proto__": 258, "proto__": 259}`,
    );
    const json = withModel({ vocab, merges: [['_', '_']] }, { added_tokens: [] });
    const tokenizer = nativeTokenizer(json);
    expect(tokenizer?.vocabularySize).toBe(260);
    expect(tokenizer?.decode([258])).toBe('__proto__');
    expect(names.map((name) => tokenizer?.decode(tokenizer.encode(name)))).toEqual(names);
    // No token is called "constructor", whatever an object inherits.
    expect(nativeTokenizer(withModel({ merges: [['constructor', '_']] }))).toBeUndefined();
  });

  it('reads what chars and bytes write', () => {
    const chars = new CharsTokenizer([0x61, 0x1f600]);
    const read = nativeTokenizer(JSON.parse(chars.files()['tokenizer.json']));
    expect(read).toBeInstanceOf(CharsTokenizer);
    expect([...read!.encode('😀a')]).toEqual([1, 0]);
    expect(nativeTokenizer(JSON.parse(new BytesTokenizer().files()['tokenizer.json']))).toBeInstanceOf(BytesTokenizer);
  });

  it.each([
    ['a normalizer', withModel({}, { normalizer: { type: 'NFC' } })],
    ['a prefix space', withModel({}, { pre_tokenizer: { type: 'ByteLevel', add_prefix_space: true } })],
    ['another split', withModel({}, { pre_tokenizer: { type: 'Whitespace' } })],
    ['an unknown piece in a merge', withModel({ merges: ['_ 漢'] })],
    ['a merge whose result is no token', withModel({ merges: ['_ a'] })],
    ['a merge twice', withModel({ merges: ['_ _', '_ _'] })],
    ['a gap in the ids', withModel({ vocab: { ...gpt2Like().model.vocab, zz: 300 } })],
    ['ids that are no numbers', withModel({ vocab: { a: 'x' } })],
    ['bytes with another token', { ...withModel({ merges: [] }), pre_tokenizer: bytesAlone }],
    ['a missing byte', withModel({ vocab: { a: 0, b: 1 }, merges: [] }, { added_tokens: [] })],
    ['dropout', withModel({ dropout: 0.1 })],
    ['another model', withModel({ type: 'Unigram' })],
    [
      'a token of two characters in chars',
      JSON.parse(new CharsTokenizer([0x61]).files()['tokenizer.json'].replace('"a"', '"ab"')),
    ],
    ['a mask token in chars that is not the last', masked({ '[MASK]': 0, a: 1 }, 0)],
    ['a mask token in chars that the vocabulary lacks', masked({ a: 0 }, 1)],
    ['another special token in chars', masked({ a: 0, '[PAD]': 1 }, 1, '[PAD]')],
    ['no object', []],
    ['null', null],
  ])('leaves %s to another reader', (_, json) => {
    expect(nativeTokenizer(json)).toBeUndefined();
  });
});
