import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addTokens } from './add-tokens.js';
import { parseTokenizer } from './parse.js';
import type { TokenizerFiles } from './tokenizer.js';

const filesOf = (kind: string): TokenizerFiles => {
  const read = (name: string) =>
    readFileSync(new URL(`../../../test/fixtures/tokenizers/${kind}/${name}`, import.meta.url), 'utf8');
  return { 'tokenizer.json': read('tokenizer.json'), 'tokenizer_config.json': read('tokenizer_config.json') };
};
const bpe = filesOf('bpe');
const parsed = (files: Readonly<Record<string, string>>) => parseTokenizer(files as unknown as TokenizerFiles, 'here');
const object = (text: string | undefined) => JSON.parse(text!);

describe('addTokens', () => {
  it.each([
    ['bpe', true],
    ['bpe', false],
    ['bytes', true],
  ])('gives %s tokens the ids that follow, and finds them in texts (special: %s)', async (kind, special) => {
    const before = await parsed(filesOf(kind) as never);
    const { files, ids } = addTokens(filesOf(kind) as never, ['<|user|>', '@@ü'], special);
    const { vocabularySize: size } = before;
    expect(ids).toEqual([size, size + 1]);
    const after = await parsed(files);
    expect(after.vocabularySize).toBe(size + 2);
    expect([...after.encode('a<|user|>b@@ü')]).toEqual([...before.encode('a'), size, ...before.encode('b'), size + 1]);
    expect(after.decode(ids)).toBe('<|user|>@@ü');
    expect(after.endOfText).toBe(before.endOfText);
    const { added_tokens: added } = object(files['tokenizer.json']);
    expect(added.at(-1)).toEqual({
      ...{ id: size + 1, content: '@@ü', single_word: false, lstrip: false, rstrip: false },
      ...{ normalized: !special, special },
    });
    const { added_tokens_decoder: decoder } = object(files['tokenizer_config.json']);
    expect(Object.keys(decoder)).toEqual(added.map(({ id }: { id: number }) => String(id)));
    expect(decoder[size].content).toBe('<|user|>');
  });

  it('keeps what other files say, and adds to added_tokens.json where there is one', () => {
    const all = { ...bpe, 'added_tokens.json': '{"<x>": 3}', 'chat_template.jinja': '{{ messages }}' };
    const { files, ids } = addTokens(all, ['<y>'], true);
    expect(object(files['added_tokens.json'])).toEqual({ '<x>': 3, '<y>': ids[0] });
    expect(files['chat_template.jinja']).toBe('{{ messages }}');
    const { added_tokens: _added, ...rest } = object(files['tokenizer.json']);
    const { added_tokens: _before, ...was } = object(bpe['tokenizer.json']);
    expect(rest).toEqual(was);
  });

  it('refuses what is there, empty, twice, too long or half a character, and says which', () => {
    const adding =
      (...tokens: string[]) =>
      () =>
        addTokens(bpe as never, tokens, true);
    expect(adding('<|endoftext|>')).toThrow(/"<\|endoftext\|>" is in the tokenizer already, as id \d+/);
    expect(adding('e')).toThrow('"e" is in the tokenizer already');
    expect(adding('<a>', '<a>')).toThrow('"<a>" is to be added twice');
    expect(adding('')).toThrow('got an empty one');
    expect(adding('\u001b[2J'.repeat(99))).toThrow(/at most 256 characters; "\\\\x1b.* has 396/);
    expect(adding('\ud800')).toThrow('lone surrogate');
    expect(() => addTokens(filesOf('chars') as never, ['<a>'], true)).toThrow('single characters');
  });

  it('refuses ids with holes, which Python would number otherwise', () => {
    const json = object(bpe['tokenizer.json']);
    const holes = { ...json, added_tokens: [], model: { ...json.model, vocab: { a: 0, b: 7 } } };
    expect(() => addTokens({ 'tokenizer.json': JSON.stringify(holes) }, ['<a>'], true)).toThrow('have holes');
  });

  it('ends with an error of ours for any other file', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.jsonValue().map((model) => JSON.stringify({ model })),
        ),
        (text) => {
          try {
            const { ids } = addTokens({ 'tokenizer.json': text }, ['<|new|>'], true);
            expect(ids).toHaveLength(1);
          } catch (error) {
            expect((error as Error).name).toBe('MeanfieldError');
          }
        },
      ),
    );
  });
});
