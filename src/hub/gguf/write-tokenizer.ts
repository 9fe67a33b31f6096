import { MeanfieldError } from '../../base/errors.js';
import { isJsonObject, type JsonObject, type JsonValue } from '../../base/json.js';
import { findTemplate } from '../../data/chat/template.js';
import type { Tokenizer } from '../../data/index.js';
import type { GgufValue } from './header.js';
import { type PreTokenizer, preTokenizers } from './pre-tokenizers.js';
import { SPECIAL_TOKENS, TOKEN_TYPES } from './read-tokenizer.js';
import { BLANK, BYTE_TOKEN, blanksAsTokens, type Pair, scoresByMerges } from './scored-tokens.js';

/** Kinds of tokenizers that llama.cpp cannot be, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  WordLevel:
    'a tokenizer of characters (chars): llama.cpp has none, and would pass over characters that have no token. Train with ' +
    'the tokenizer bpe or bytes',
  WordPiece: 'a WordPiece tokenizer, which is for encoders',
  Unigram: 'a Unigram tokenizer, whose scores are not written',
};

/**
 * A tokenizer as `tokenizer.ggml` of a GGUF file has it.
 *
 * @param files `tokenizer.json`, and what stands beside it
 * @param tokenizer the same, for what it sets around a text
 * @param rows rows of the embedding: what has no token is filled up
 * @throws MeanfieldError for one that llama.cpp would read otherwise, with why
 */
export function writtenTokenizer(
  files: Readonly<Record<string, string>>,
  tokenizer: Tokenizer,
  rows: number,
): ReadonlyMap<string, GgufValue> {
  const json = JSON.parse(files['tokenizer.json']!) as JsonObject;
  const model = json.model as JsonObject;
  if (model.type !== 'BPE') throw refused(REFUSED[String(model.type)] ?? `of the kind ${JSON.stringify(model.type)}`);
  const vocabulary = vocabularyOf(json, rows);
  const isScored = model.byte_fallback === true;
  const { tokens } = vocabulary;
  const put = isScored ? scoredPairs(json, model, vocabulary) : byteLevelPairs(json, model, vocabulary);
  const ids = specialIds(files, tokens, isScored);
  for (const [key, id] of ids) put.push([key, { type: 'UINT32', value: id }]);
  const { before = [], after = [] } = tokenizer.around ?? {};
  const begin = isOnly(before, ids.get('bos_token_id'));
  const end = isOnly(after, ids.get('eos_token_id'));
  if ((!begin && before.length > 0) || (!end && after.length > 0))
    throw refused('one that sets other tokens around a text than those that begin and end it');
  put.push(['add_bos_token', { type: 'BOOL', value: begin }], ['add_eos_token', { type: 'BOOL', value: end }]);
  const metadata = new Map(put.map(([key, value]) => [`tokenizer.ggml.${key}`, value]));
  const template = findTemplate(files);
  if (template.own) metadata.set('tokenizer.chat_template', { type: 'STRING', value: template.source });
  return metadata;
}

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly types: readonly number[];
}
type Entries = [key: string, value: GgufValue][];

const byteLevelPairs = (json: JsonObject, model: JsonObject, { tokens, types }: Vocabulary): Entries => [
  ['model', { type: 'STRING', value: 'gpt2' }],
  ['pre', { type: 'STRING', value: splitting(json, model).names[0]! }],
  ['tokens', { type: 'ARRAY', of: 'STRING', value: tokens }],
  ['token_type', { type: 'ARRAY', of: 'INT32', value: types }],
  ['merges', { type: 'ARRAY', of: 'STRING', value: mergesOf(model).map((pair) => pair.join(' ')) }],
];

/** SentencePiece's kind: pairs become scores of the tokens that they make. */
function scoredPairs(json: JsonObject, model: JsonObject, { tokens, types }: Vocabulary): Entries {
  const prefix = blankBefore(json);
  const merges = mergesOf(model);
  const made = new Set(merges.map(([left, right]) => left + right));
  const kinds = tokens.map((token, id) => {
    if (types[id] === TOKEN_TYPES.normal && BYTE_TOKEN.test(token)) return TOKEN_TYPES.byte;
    if (types[id] !== TOKEN_TYPES.unused && token === model.unk_token) return TOKEN_TYPES.unknown;
    // Python finds it in a text that has ▁, and makes it of blanks by pairs; llama.cpp by pairs alone, and the same.
    const isRun = types[id] === TOKEN_TYPES.userDefined && token.includes(BLANK) && made.has(token);
    return isRun ? TOKEN_TYPES.normal : types[id]!;
  });
  if (kinds.filter((kind) => kind === TOKEN_TYPES.byte).length !== 256)
    throw refused('of pairs with bytes to fall back on, and has not a token for each of the 256 (<0x00> to <0xFF>)');
  const vocabulary = new Map(tokens.flatMap((token, id) => (kinds[id] === TOKEN_TYPES.unused ? [] : [[token, id]])));
  const isMade = (token: string) => {
    const id = vocabulary.get(token);
    return id !== undefined && (kinds[id] === TOKEN_TYPES.normal || kinds[id] === TOKEN_TYPES.byte);
  };
  const told = scoresByMerges(merges, new Set(vocabulary.keys()), isMade);
  if ('fault' in told) throw refused(`of pairs that no scores of tokens tell, as llama.cpp wants them: ${told.fault}`);
  const least = -1 - told.scores.size;
  const scores = tokens.map((token, id) => told.scores.get(token) ?? (kinds[id] === TOKEN_TYPES.normal ? least : 0));
  return [
    ['model', { type: 'STRING', value: 'llama' }],
    ['pre', { type: 'STRING', value: 'default' }],
    ['tokens', { type: 'ARRAY', of: 'STRING', value: tokens }],
    ['scores', { type: 'ARRAY', of: 'FLOAT32', value: scores }],
    ['token_type', { type: 'ARRAY', of: 'INT32', value: kinds }],
    ['add_space_prefix', { type: 'BOOL', value: prefix }],
  ];
}

/** Whether a text gets a blank before it; it is split nowhere, and its blanks become ▁. */
function blankBefore(json: JsonObject): boolean {
  const asked = JSON.stringify(json.normalizer ?? null);
  const found = [false, true].find((prefix) => JSON.stringify(blanksAsTokens(prefix).normalizer) === asked);
  // Where no blank is left, nothing is split at one (Gemma's).
  const { type, pattern, pretokenizers } = (json.pre_tokenizer ?? {}) as JsonObject;
  const isWhole = json.pre_tokenizer == null || (type === 'Split' && JSON.stringify(pattern) === '{"String":" "}');
  if (found === undefined || !isWhole || pretokenizers !== undefined)
    throw refused('of pairs with bytes to fall back on that prepares text in another way than Llama 2 or Gemma');
  const uneven = ((json.added_tokens ?? []) as readonly JsonObject[]).find(
    ({ normalized, content }) => normalized === true && (found || /[ ▁]/.test(String(content))),
  );
  if (uneven)
    throw refused(`one whose token ${JSON.stringify(uneven.content)} is looked for in a text that is prepared already`);
  return found;
}

const refused = (what: string): MeanfieldError =>
  new MeanfieldError(`This model is not written as GGUF: its tokenizer is ${what}. Export it in another form.`);

const isOnly = (ids: readonly number[], id: number | undefined): boolean => ids.length === 1 && ids[0] === id;

/** Tokens in order of their ids, and the type of each. */
function vocabularyOf(json: JsonObject, rows: number): Vocabulary {
  const tokens: (string | undefined)[] = Array(rows).fill(undefined);
  const types: number[] = Array(rows).fill(TOKEN_TYPES.unused);
  const put = (token: string, id: JsonValue | undefined, type: number) => {
    if (typeof id !== 'number' || !(id >= 0 && id < rows) || (tokens[id] ?? token) !== token)
      throw refused(`one whose token ${JSON.stringify(token)} is ${id}, where the model has ${rows} rows`);
    tokens[id] = token;
    types[id] = type;
  };
  const { vocab } = json.model as JsonObject;
  for (const [token, id] of Object.entries(vocab as JsonObject)) put(token, id, TOKEN_TYPES.normal);
  for (const added of (json.added_tokens ?? []) as readonly JsonObject[]) {
    const { content, id, special, lstrip, rstrip, single_word: word } = added;
    // Gemma 3's token for images: its models of text have no row for it. llama.cpp's converter leaves such out as well.
    if (Number(id) >= rows) continue;
    if (lstrip || rstrip || word)
      throw refused(
        `one whose token ${JSON.stringify(content)} takes blanks or word ends with it, which llama.cpp does not`,
      );
    put(String(content), id, special ? TOKEN_TYPES.control : TOKEN_TYPES.userDefined);
  }
  const taken = new Set(tokens);
  const filled = tokens.map((token, id) => {
    if (token !== undefined) return token;
    // llama.cpp takes no name twice.
    let name = `[PAD${id}]`;
    while (taken.has(name)) name = `[${name}]`;
    return name;
  });
  return { tokens: filled, types };
}

function mergesOf(model: JsonObject): Pair[] {
  return (model.merges as readonly (string | Pair)[]).map((merge) =>
    typeof merge === 'string' ? (merge.split(' ') as unknown as Pair) : merge,
  );
}

/** How a text is split, by llama.cpp's name. */
function splitting(json: JsonObject, model: JsonObject): PreTokenizer {
  const steps = stepsOf(json.pre_tokenizer);
  const whole = model.ignore_merges === true;
  // Without merges a byte is a token, however a text is split.
  const bytes = (model.merges as readonly unknown[]).length === 0 && !whole && json.normalizer == null;
  if (bytes && JSON.stringify(steps) === '["bytes"]') return preTokenizers[0]!;
  const asked = JSON.stringify([steps, json.normalizer ?? null, whole]);
  const found = preTokenizers.find(
    (each) => JSON.stringify([stepsOf(each.steps), each.normalizer, each.whole]) === asked,
  );
  if (found) return found;
  throw refused(
    `one that splits text in a way that llama.cpp has no name for here; those that it has: ` +
      preTokenizers.map(({ names }) => names[0]).join(', '),
  );
}

/** What decides where a text is split: the rest changes offsets alone. */
function stepsOf(steps: JsonValue | undefined): readonly JsonValue[] {
  if (Array.isArray(steps)) return steps.flatMap(stepsOf);
  if (!isJsonObject(steps)) return [];
  const { type, pretokenizers, pattern, behavior, invert, individual_digits: digits } = steps;
  if (type === 'Sequence') return stepsOf(pretokenizers);
  if (type === 'Split') return [['Split', pattern ?? null, behavior ?? null, invert ?? false]];
  if (type === 'Digits') return [['Digits', digits ?? false]];
  if (type === 'ByteLevel' && !steps.add_prefix_space) return [steps.use_regex === false ? 'bytes' : 'words'];
  return [JSON.stringify(steps)];
}

/** Ids by their keys. llama.cpp takes 11, or 2, for the token that ends a text where a file tells none. */
function specialIds(
  files: Readonly<Record<string, string>>,
  tokens: readonly string[],
  isScored: boolean,
): ReadonlyMap<string, number> {
  const config = JSON.parse(files['tokenizer_config.json'] ?? '{}') as JsonObject;
  const ids = new Map<string, number>();
  for (const [key, name] of SPECIAL_TOKENS) {
    const value = config[name];
    const token = isJsonObject(value) ? value.content : value;
    const id = typeof token === 'string' ? tokens.indexOf(token) : -1;
    if (id >= 0) ids.set(key, id);
  }
  const { unk_token: unknown } = (JSON.parse(files['tokenizer.json']!) as { model: JsonObject }).model;
  if (isScored && typeof unknown === 'string') ids.set('unknown_token_id', tokens.indexOf(unknown));
  // Of a model of bytes the zero byte, which no text has.
  const end = ids.get('eos_token_id') ?? 0;
  ids.set('eos_token_id', end);
  if (!ids.has('bos_token_id')) ids.set('bos_token_id', end);
  return ids;
}
