import type { Tokenizer } from '../data/index.js';

/** Tokens that have a part in generation beside the text's own. */
export interface SpecialTokens {
  /** What a text of no prompt starts from; not part of the result. */
  readonly start: number;
  /** Those that end a text. */
  readonly end: ReadonlySet<number>;
}

type Config = Readonly<Record<string, unknown>>;

/**
 * Finds a model's special tokens. A text starts after the first that exists of: `bos_token_id` of
 * `generation_config.json` or `config.json`, the tokenizer's end of text (it stands between documents, so a new one
 * follows), a line feed, token 0. It ends at `eos_token_id` of either file or the tokenizer's end of text.
 *
 * @param vocabulary the model's number of tokens; ids beyond it are not believed
 */
export function specialTokens(
  tokenizer: Tokenizer,
  vocabulary: number,
  config: Config,
  generationConfig: Config = {},
): SpecialTokens {
  const known = (value: unknown): number[] =>
    (Array.isArray(value) ? value : [value]).filter((id) => Number.isInteger(id) && id >= 0 && id < vocabulary);
  const [start] = [
    ...known(generationConfig.bos_token_id),
    ...known(config.bos_token_id),
    ...known(tokenizer.endOfText),
    ...known(lineFeed(tokenizer)),
    0,
  ];
  const end = [generationConfig.eos_token_id, config.eos_token_id, tokenizer.endOfText].flatMap(known);
  return { start: start!, end: new Set(end) };
}

function lineFeed(tokenizer: Tokenizer): number | undefined {
  try {
    return tokenizer.encode('\n').at(-1);
  } catch {
    // A vocabulary of characters may have no line feed.
    return undefined;
  }
}
