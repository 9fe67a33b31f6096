import type { JsonObject } from '../../base/json.js';
import { bytesToToken } from './byte-level.js';
import { MASK_TOKEN } from './mask-token.js';
import type { TokenizerFiles } from './tokenizer.js';
import { addedToken, bpeModel, tokenizerJson } from './tokenizer-json.js';
import type { BpeModel } from './train-bpe.js';

/** The token between documents, as in GPT-2. */
export const END_OF_TEXT = '<|endoftext|>';

/** A word that no character of a corpus is: WordLevel refuses unknown characters when its unknown token is unknown. */
const NO_UNKNOWN = '<|unknown|>';

/** Character-level: one token a code point, in order of ids; `mask` adds the mask token after them. */
export function charsFiles(characters: readonly string[], mask = false): TokenizerFiles {
  const names = mask ? [...characters, MASK_TOKEN] : characters;
  return files(
    {
      added_tokens: mask ? [addedToken(characters.length, MASK_TOKEN)] : [],
      pre_tokenizer: { type: 'Split', pattern: { Regex: '[\\s\\S]' }, behavior: 'Isolated', invert: false },
      decoder: { type: 'Fuse' },
      model: { type: 'WordLevel', vocab: Object.fromEntries(numbered(names)), unk_token: NO_UNKNOWN },
    },
    mask ? { mask_token: MASK_TOKEN } : {},
  );
}

/** Byte-level BPE; `useRegex` is false where texts are not split into words (bytes). */
export function bpeFiles(model: BpeModel, useRegex: boolean): TokenizerFiles {
  const names = model.tokens.map((bytes, id) => model.special.get(id) ?? bytesToToken(bytes));
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: useRegex };
  const special = new Set(model.special.values());
  const end = special.has(END_OF_TEXT) ? { bos_token: END_OF_TEXT, eos_token: END_OF_TEXT } : {};
  const mask = special.has(MASK_TOKEN) ? { mask_token: MASK_TOKEN } : {};
  return files(
    {
      added_tokens: [...model.special].map(([id, content]) => addedToken(id, content)),
      pre_tokenizer: byteLevel,
      decoder: byteLevel,
      model: bpeModel(
        Object.fromEntries(numbered(names)),
        model.merges.map(([left, right]) => [names[left]!, names[right]!]),
      ),
    },
    { add_prefix_space: false, ...end, ...mask },
  );
}

function files(tokenizer: JsonObject, config: JsonObject = {}): TokenizerFiles {
  const json = tokenizerJson(tokenizer);
  const configJson = {
    // Else AutoTokenizer builds a GPT2Tokenizer from the model's config.json.
    tokenizer_class: 'PreTrainedTokenizerFast',
    clean_up_tokenization_spaces: false,
    ...config,
  };
  return {
    'tokenizer.json': `${JSON.stringify(json, null, 1)}\n`,
    'tokenizer_config.json': `${JSON.stringify(configJson, null, 2)}\n`,
  };
}

/**
 * Vocabularies are objects, and JavaScript would put keys such as "7" first; readers go by the number, not the place.
 */
function numbered(names: readonly string[]): [string, number][] {
  return names.map((name, id) => [name, id]);
}
