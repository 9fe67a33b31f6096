/** The kinds of tokenizer that Meanfield makes for a text. */
export const TOKENIZERS = ['chars', 'bytes', 'bpe'] as const;
export type MadeTokenizer = (typeof TOKENIZERS)[number];

/** `foreign` is one that it only reads. */
export type TokenizerKind = MadeTokenizer | 'foreign';
