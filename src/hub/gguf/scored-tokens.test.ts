import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import fixture from '../../../test/fixtures/gguf/scored.json' with { type: 'json' };
import { parseTokenizer } from '../../data/tokenizers/parse.js';
import type { GgufValue } from './header.js';
import { Metadata } from './metadata.js';
import { readTokenizer } from './read-tokenizer.js';
import { mergesByScore, type Pair, scoresByMerges } from './scored-tokens.js';
import { writtenTokenizer } from './write-tokenizer.js';

interface Json {
  added_tokens: object[];
  model: { vocab: Record<string, number>; merges: Pair[] };
}

/** The first of two pairs behind each other that make one token, which is no run. */
const doubled = ({ model: { merges } }: Json): number =>
  merges.findIndex((pair, i) => pair.join('') === merges[i + 1]?.join('') && new Set(pair.join('')).size > 1);

const array = (of: 'STRING' | 'INT32' | 'FLOAT32', value: readonly unknown[]) =>
  ({ type: 'ARRAY', of, value }) as GgufValue;

describe.each(fixture.vocabularies)('tokens with scores, $name', ({ prefix, tokens, scores, types, ids }) => {
  const metadata = (change: Record<string, GgufValue> = {}) =>
    new Metadata(
      'm.gguf',
      new Map<string, GgufValue>(
        Object.entries({
          'tokenizer.ggml.model': { type: 'STRING', value: 'llama' },
          'tokenizer.ggml.tokens': array('STRING', tokens),
          'tokenizer.ggml.scores': array('FLOAT32', scores),
          'tokenizer.ggml.token_type': array('INT32', types),
          'tokenizer.ggml.add_space_prefix': { type: 'BOOL', value: prefix },
          ...change,
        } as Record<string, GgufValue>),
      ),
    );

  it('make of texts what Python transformers makes of them, and texts of those again', async () => {
    const tokenizer = await parseTokenizer(readTokenizer(metadata(), tokens.length), 'm.gguf');
    for (const [i, text] of fixture.texts.entries()) {
      expect([...tokenizer.encode(text)], JSON.stringify(text)).toEqual(ids[i]);
      // A blank before what follows a token found in the text stays, in Python as well.
      if (!/<|\n\n/.test(text)) expect(tokenizer.decode(ids[i]!)).toBe(text);
    }
    expect(tokenizer.around).toEqual({ before: [1], after: [] });
    expect(tokenizer.endOfText).toBe(2);
  });

  const writtenOf = async (change: (json: Json) => void = () => {}) => {
    const files = readTokenizer(metadata(), tokens.length);
    const json = JSON.parse(files['tokenizer.json']) as Json;
    change(json);
    const changed = { ...files, 'tokenizer.json': JSON.stringify(json) };
    return writtenTokenizer(changed, await parseTokenizer(files, 'm.gguf'), tokens.length + 2);
  };

  it('are written again as they were, with scores in the same order', async () => {
    const written = await writtenOf();
    const list = (key: string) => written.get(`tokenizer.ggml.${key}`)!.value as (string | number)[];
    expect(list('tokens').slice(0, -2)).toEqual(tokens);
    expect(list('token_type')).toEqual([...types, 5, 5]);
    const value = (key: string) => written.get(`tokenizer.ggml.${key}`)?.value;
    expect(value('add_space_prefix')).toBe(prefix);
    expect([value('add_bos_token'), value('add_eos_token')]).toEqual([true, false]);
    expect(['bos', 'eos', 'unknown'].map((name) => value(`${name}_token_id`))).toEqual([1, 2, 0]);
    const again = list('scores') as number[];
    const order = (of: readonly number[]) =>
      [...tokens.keys()]
        .filter((id) => types[id] === 1 && Array.from(tokens[id]!).length > 1)
        .sort((a, b) => of[b]! - of[a]! || a - b);
    expect(order(again)).toEqual(order(scores));
  });

  it.each<[string, (json: Json) => void, RegExp]>([
    ['a pair too few', (json) => json.model.merges.splice(40, 1), /no scores of tokens tell, .* are no pair, and one/],
    [
      'pairs out of order',
      (json) => json.model.merges.push(json.model.merges.splice(doubled(json), 1)[0]!),
      /are mixed/,
    ],
    ['a byte too few', (json) => delete json.model.vocab['<0x41>'], /has not a token for each of the 256/],
    ['a pre-tokenizer', (json) => Object.assign(json, { pre_tokenizer: { type: 'Whitespace' } }), /in another way/],
    [
      'a token of a prepared text',
      (json) => json.added_tokens.push({ id: tokens.length, content: 'a▁b', normalized: true }),
      /token "a▁b" is looked for in a text that is prepared/,
    ],
  ])('with %s they are refused', async (_, change, message) => {
    await expect(writtenOf(change)).rejects.toThrow(message);
  });
});

/** What llama.cpp does (`llm_tokenizer_spm_session`): joins the neighbours of the highest score, the first of equal ones. */
function joined(text: string, scores: ReadonlyMap<string, number>): string[] {
  const parts = Array.from(text);
  for (;;) {
    let [best, at] = [Number.NEGATIVE_INFINITY, -1];
    for (let i = 0; i + 1 < parts.length; i++) {
      const score = scores.get(parts[i]! + parts[i + 1]!);
      if (score !== undefined && score > best) [best, at] = [score, i];
    }
    if (at < 0) return parts;
    parts.splice(at, 2, parts[at]! + parts[at + 1]!);
  }
}

/** What a `tokenizer.json` does: joins the pair of the lowest rank, the first of equal ones. */
function merged(text: string, merges: readonly Pair[]): string[] {
  const ranks = new Map(merges.map(([left, right], rank) => [`${left} ${right}`, rank]));
  const parts = Array.from(text);
  for (;;) {
    let [best, at] = [Number.POSITIVE_INFINITY, -1];
    for (let i = 0; i + 1 < parts.length; i++) {
      const rank = ranks.get(`${parts[i]} ${parts[i + 1]}`);
      if (rank !== undefined && rank < best) [best, at] = [rank, i];
    }
    if (at < 0) return parts;
    parts.splice(at, 2, parts[at]! + parts[at + 1]!);
  }
}

describe('ranks of pairs and scores of tokens', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '▁', '🙂'), minLength: 2, maxLength: 4 });
  const words = fc.uniqueArray(letters, { maxLength: 12 });
  const known = (all: readonly string[]) => new Set(['a', 'b', 'c', '▁', '🙂', ...all]);

  it('say the same of each other', () => {
    fc.assert(
      fc.property(words, (all) => {
        const scores = new Map(all.map((word, i): [string, number] => [word, -1 - i]));
        const merges = mergesByScore(known(all), scores);
        const back = scoresByMerges(merges, known(all), () => true);
        if ('fault' in back) throw new Error(back.fault);
        // Words that no pair makes are never joined.
        const reached = new Set(merges.map(([left, right]) => left + right));
        expect([...back.scores.keys()]).toEqual(all.filter((word) => reached.has(word)));
        expect(mergesByScore(known(all), back.scores)).toEqual(merges);
      }),
    );
  });

  it('join texts alike where no token overlaps itself', () => {
    fc.assert(
      fc.property(words, fc.string({ unit: fc.constantFrom('a', 'b', 'c', '▁'), maxLength: 30 }), (all, text) => {
        // Of a token in a run, such as aba in ababa, one takes the first and the other the pair of the lower rank.
        const apart = all.filter((word) => Array.from(word).every((each, i, own) => own.indexOf(each) === i));
        const scores = new Map(apart.map((word, i): [string, number] => [word, -1 - i]));
        const merges = mergesByScore(known(apart), scores);
        const reached = new Set(merges.map(([left, right]) => left + right));
        const made = new Map([...scores].filter(([word]) => reached.has(word)));
        const isWhole = (word: string) => Array.from(word).length === 1 || reached.has(word);
        expect(merged(text, merges).every(isWhole)).toBe(true);
        expect(merged(text, merges)).toEqual(joined(text, made));
      }),
    );
  });

  it('runs of one character may share a score', () => {
    const runs: Pair[] = [
      ['▁▁', '▁'],
      ['\n\n', '\n'],
      ['▁', '▁▁'],
      ['\n', '\n\n'],
      ['▁', '▁'],
      ['\n', '\n'],
    ];
    const all = known(['▁▁', '▁▁▁', '\n', '\n\n', '\n\n\n']);
    const back = scoresByMerges(runs, all, () => true);
    expect(back).toEqual({
      scores: new Map(['▁▁▁', '\n\n\n', '▁▁', '\n\n'].map((run, i) => [run, [-1, -1, -2, -3][i]])),
    });
  });

  it('pairs that scores cannot tell are told', () => {
    const asked = (merges: Pair[], more: string[]) => scoresByMerges(merges, known(more), () => true);
    expect(
      asked(
        [
          ['a', 'b'],
          ['b', 'c'],
          ['ab', 'c'],
        ],
        ['ab', 'bc', 'abc'],
      ),
    ).toEqual({
      fault: '"a" and "bc" are no pair, and one token together',
    });
    expect(
      asked(
        [
          ['ab', 'c'],
          ['b', 'c'],
          ['a', 'bc'],
          ['a', 'b'],
        ],
        ['ab', 'bc', 'abc'],
      ),
    ).toEqual({
      fault: 'pairs of "abc" and of other tokens are mixed',
    });
  });
});

describe('a damaged list', () => {
  const every = [...Array(256).keys()].map((byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const tokens = ['<unk>', '<s>', '</s>', ...every, 'a', 'b', 'ab'];
  const types = tokens.map((_, i) => (i === 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1));
  const read = (change: Record<string, GgufValue | undefined>) => {
    const given = {
      'tokenizer.ggml.model': { type: 'STRING', value: 'llama' },
      'tokenizer.ggml.tokens': array('STRING', tokens),
      'tokenizer.ggml.scores': array(
        'FLOAT32',
        tokens.map((_, i) => -i),
      ),
      'tokenizer.ggml.token_type': array('INT32', types),
      ...change,
    } as Record<string, GgufValue | undefined>;
    const there = Object.entries(given).filter((entry): entry is [string, GgufValue] => entry[1] !== undefined);
    return readTokenizer(new Metadata('m.gguf', new Map(there)), tokens.length);
  };
  const swapped = (at: number, token: string) =>
    array(
      'STRING',
      tokens.map((each, i) => (i === at ? token : each)),
    );
  const scored = (at: number, score: number) =>
    array(
      'FLOAT32',
      tokens.map((_, i) => (i === at ? score : -i)),
    );

  it('whole, it is read', async () => {
    const tokenizer = await parseTokenizer(read({}), 'm.gguf');
    // A blank before the text, which no token but bytes has.
    expect([...tokenizer.encode('ab')]).toEqual([0xe2, 0x96, 0x81].map((byte) => byte + 3).concat(261));
  });

  it.each([
    ['no scores', { 'tokenizer.ggml.scores': undefined }, /262 tokens with no tokenizer\.ggml\.scores/],
    ['fewer scores', { 'tokenizer.ggml.scores': array('FLOAT32', [1]) }, /262 tokens with 1 tokenizer/],
    [
      'whole numbers',
      {
        'tokenizer.ggml.scores': array(
          'INT32',
          tokens.map(() => 1),
        ),
      },
      /ARRAY of INT32, expected ARRAY of FL/,
    ],
    [
      'a score that is no number',
      { 'tokenizer.ggml.scores': scored(260, Number.NaN) },
      /score of its token 260 is no number/,
    ],
    ['an endless token', { 'tokenizer.ggml.tokens': swapped(260, 'x'.repeat(100_000)) }, /token 260 has more than 512/],
    ['a byte too few', { 'tokenizer.ggml.tokens': swapped(3, '<0xGG>') }, /tokens for 255 bytes/],
    ['a byte twice', { 'tokenizer.ggml.tokens': swapped(3, '<0x01>') }, /tokens 3 and 4 are both "<0x01>"/],
    [
      'a prefix that is no switch',
      { 'tokenizer.ggml.add_space_prefix': { type: 'UINT32', value: 1 } },
      /expected BOOL/,
    ],
  ] as [string, Record<string, GgufValue | undefined>, RegExp][])('with %s it is refused', (_, change, message) => {
    expect(() => read(change)).toThrow(message);
  });

  it('with infinite scores or names of JavaScript it is a tokenizer all the same', async () => {
    const names = array(
      'STRING',
      tokens.map((each, i) => (i === 259 ? '__proto__' : i === 260 ? 'constructor' : each)),
    );
    const infinite = { 'tokenizer.ggml.tokens': names, 'tokenizer.ggml.scores': scored(261, Number.POSITIVE_INFINITY) };
    expect((await parseTokenizer(read(infinite), 'm.gguf')).vocabularySize).toBe(tokens.length);
  });
});
