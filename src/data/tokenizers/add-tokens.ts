import { MeanfieldError } from '../../base/errors.js';
import { isJsonObject, type JsonObject, jsonText } from '../../base/json.js';
import { printableLine } from '../../base/printable.js';

/** Longest token that is added, in characters: a longer one is a text that was given by mistake. */
const LONGEST = 256;
// With the flag u a pair is one character.
const LONE_SURROGATE = /[\ud800-\udfff]/u;

/** Files of a tokenizer with tokens added, and their ids. */
export interface AddedTokens {
  readonly files: Readonly<Record<string, string>>;
  readonly ids: readonly number[];
}

/**
 * Adds tokens to a tokenizer's files as `tokenizers` adds them in Python: each is found in any text as it is written,
 * before anything else is done to the text, and its id follows the largest.
 *
 * @param files `tokenizer.json`, and those beside it that name added tokens (`tokenizer_config.json`,
 * `added_tokens.json`); others are left as they are
 * @param special whether they are control tokens, as markers of conversations are: decoders may leave those out
 * @throws MeanfieldError for a token that is there already, given twice, empty or too long, and for a tokenizer that
 * cannot take any
 */
export function addTokens(
  files: Readonly<Record<string, string>>,
  tokens: readonly string[],
  special: boolean,
): AddedTokens {
  const json = objectOf(files, 'tokenizer.json');
  const config = objectOf(files, 'tokenizer_config.json');
  const { model } = json;
  const present = (json.added_tokens ?? []) as readonly JsonObject[];
  const known = vocabularyOf(model);
  if (!isJsonObject(model) || known === undefined || !Array.isArray(present) || !present.every(isJsonObject))
    throw new MeanfieldError('This tokenizer.json has no vocabulary that tokens could be added to.');
  if (isCharacters(json))
    throw new MeanfieldError(
      'A tokenizer of single characters takes no tokens of several. Train the model with another tokenizer: bpe or bytes.',
    );
  const next = nextId(known, present);
  const names = new Map([...known, ...present.map(({ content, id }) => [String(content), Number(id)] as const)]);
  check(tokens, names);
  const added = tokens.map((content, i) => ({
    id: next + i,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    // A plain word goes through the normalizer as the text around it does.
    normalized: !special,
    special,
  }));
  const all: readonly JsonObject[] = [...present, ...added];
  const decoder = isJsonObject(config.added_tokens_decoder) ? config.added_tokens_decoder : decoderOf(present);
  const changed: Record<string, string> = {
    'tokenizer.json': jsonText({ ...json, added_tokens: all }),
    'tokenizer_config.json': jsonText({ ...config, added_tokens_decoder: { ...decoder, ...decoderOf(added) } }),
  };
  if (files['added_tokens.json'] !== undefined) {
    const ids = Object.fromEntries(added.map(({ content, id }) => [content, id]));
    changed['added_tokens.json'] = jsonText({ ...objectOf(files, 'added_tokens.json'), ...ids });
  }
  return { files: { ...files, ...changed }, ids: added.map(({ id }) => id) };
}

function check(tokens: readonly string[], names: ReadonlyMap<string, number>): void {
  const seen = new Set<string>();
  for (const token of tokens) {
    const shown = JSON.stringify(printableLine(token.slice(0, 40)));
    if (token === '') throw new MeanfieldError('A token to be added must have a character at least; got an empty one.');
    if (token.length > LONGEST)
      throw new MeanfieldError(`A token to be added has at most ${LONGEST} characters; ${shown} has ${token.length}.`);
    if (LONE_SURROGATE.test(token))
      throw new MeanfieldError(`The token ${shown} holds half of a character (a lone surrogate), which no text does.`);
    if (names.has(token))
      throw new MeanfieldError(
        `The token ${shown} is in the tokenizer already, as id ${names.get(token)}: leave it out of those to be added.`,
      );
    if (seen.has(token)) throw new MeanfieldError(`The token ${shown} is to be added twice: give it once.`);
    seen.add(token);
  }
}

/** As `tokenizers` counts: after the largest of what was added, or after the vocabulary. @throws where ids have holes */
function nextId(known: ReadonlyMap<string, number>, present: readonly JsonObject[]): number {
  const largest = (ids: Iterable<number>) => [...ids].reduce((most, id) => Math.max(most, id), -1);
  const added = largest(present.map(({ id }) => Number(id)));
  const next = Math.max(known.size, added + 1);
  if (largest(known.values()) < next) return next;
  throw new MeanfieldError(
    `The ids of this tokenizer have holes: its vocabulary has ${known.size} entries with ids up to ` +
      `${largest(known.values())}, so Python would give added tokens ids that are taken. Renumber it first.`,
  );
}

function decoderOf(tokens: readonly JsonObject[]): JsonObject {
  return Object.fromEntries(tokens.map(({ id, ...token }) => [String(id), token]));
}

/** Ids by token: an object of BPE, WordPiece and WordLevel, a list of Unigram. */
function vocabularyOf(model: unknown): ReadonlyMap<string, number> | undefined {
  const vocab = isJsonObject(model) ? model.vocab : undefined;
  if (Array.isArray(vocab)) return new Map(vocab.map((entry, id) => [String((entry as unknown[])?.[0]), id]));
  if (!isJsonObject(vocab)) return undefined;
  return new Map(Object.entries(vocab).map(([token, id]) => [token, Number(id)]));
}

const isCharacters = ({ pre_tokenizer: split, model }: JsonObject): boolean =>
  isJsonObject(split) && split.type === 'Split' && isJsonObject(model) && model.type === 'WordLevel';

function objectOf(files: Readonly<Record<string, string>>, name: string): JsonObject {
  const text = files[name];
  if (text === undefined) return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new MeanfieldError(`${name} is not valid JSON, so no tokens can be added to it.`, { cause: error });
  }
  if (isJsonObject(value)) return value;
  throw new MeanfieldError(`${name} must hold a JSON object; no tokens can be added to it.`);
}
