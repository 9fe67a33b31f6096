import type { JsonObject } from '../../base/json.js';

/** A token that is read in any text before it is split, as Python and `@huggingface/tokenizers` have it. */
export const addedToken = (id: number, content: string, special = true): JsonObject => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special,
});

/** A `tokenizer.json`: its parts, and none of those that are left out. */
export const tokenizerJson = (parts: JsonObject): JsonObject => ({
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  ...parts,
});

/** Its `model` of pairs that are merged, in the order of their rank. */
export const bpeModel = (
  vocab: Readonly<Record<string, number>>,
  merges: readonly (readonly [string, string])[],
  more: JsonObject = {},
): JsonObject => ({
  type: 'BPE',
  dropout: null,
  unk_token: null,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: false,
  byte_fallback: false,
  ignore_merges: false,
  ...more,
  vocab,
  merges,
});
