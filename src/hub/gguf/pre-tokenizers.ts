import type { JsonObject } from '../../base/json.js';
import table from './pre-tokenizers.json' with { type: 'json' };

/** How llama.cpp splits a text before it merges pairs of bytes, and what that is in `tokenizer.json`. */
export interface PreTokenizer {
  /** What `tokenizer.ggml.pre` says; the first is written. */
  readonly names: readonly string[];
  readonly normalizer: JsonObject | null;
  /** The steps of `pre_tokenizer`. */
  readonly steps: readonly JsonObject[];
  /** Whether a piece that is a token whole is not merged (`ignore_merges`). */
  readonly whole: boolean;
  /** Whether a text begins with a token where the file does not say. */
  readonly begins: boolean;
}

/**
 * Those that are expressed, from `llama-vocab.cpp`. NFC of Qwen's is its tokenizer's own: llama.cpp leaves it out, so that
 * texts that are not in that form have other tokens there.
 */
export const preTokenizers: readonly PreTokenizer[] = table;
