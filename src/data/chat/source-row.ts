import { MeanfieldError } from '../../base/errors.js';
import type { Tokenizer } from '../tokenizers/tokenizer.js';
import type { ChatText } from './row.js';
import type { TokenRow } from './row-file.js';

/*
 * What an encoder-decoder learns of a row lies in a row of tokens as all others do: the source's, none of them learned,
 * and behind them the target's, which all are. Each ends with the token that ends a text.
 */

/** Turns sources and targets into tokens. */
export class SourceEncoder {
  /** @param end ends what is read, and what is written */
  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly end: number,
  ) {}

  /** Tokens of each row, or why it has none: a text that the tokenizer cannot express. */
  async encode(rows: readonly ChatText[]): Promise<(TokenRow | { readonly fault: string })[]> {
    return rows.map((row) => {
      if ('messages' in row) throw new Error('expected a source and its target, got messages');
      try {
        const source = this.#ended(row.prompt);
        // Of a row without a target nothing is learned: not even that it is to be empty, since most such rows are faults.
        const target = row.completion === '' ? [] : this.#ended(row.completion);
        const flags = new Uint8Array(source.length + target.length).fill(1, source.length);
        return { ids: Int32Array.from([...source, ...target]), flags };
      } catch (error) {
        if (error instanceof MeanfieldError) return { fault: error.message };
        throw error;
      }
    });
  }

  #ended(text: string): number[] {
    const ids = [...this.tokenizer.encode(text)];
    return ids.at(-1) === this.end ? ids : [...ids, this.end];
  }
}

/** The tokens of a row's source, and of its target. */
export function sourceAndTarget({ ids, flags }: TokenRow): {
  readonly source: Int32Array;
  readonly target: Int32Array;
} {
  const at = flags.indexOf(1);
  const border = at < 0 ? ids.length : at;
  return { source: ids.subarray(0, border), target: ids.subarray(border) };
}

/**
 * Cuts the end of a source, which keeps the token that ends it, and of a target, which then has none: it does not end
 * there.
 *
 * @param longest tokens of either at most
 * @returns undefined where nothing is learned
 */
export function fitSource(
  row: TokenRow,
  longest: number,
): { readonly rows: readonly [TokenRow]; readonly cut: boolean } | undefined {
  const { source, target } = sourceAndTarget(row);
  if (target.length === 0) return undefined;
  if (source.length <= longest && target.length <= longest) return { rows: [row], cut: false };
  const kept = source.length <= longest ? source : Int32Array.of(...source.subarray(0, longest - 1), source.at(-1)!);
  const ids = Int32Array.from([...kept, ...target.subarray(0, longest)]);
  return { rows: [{ ids, flags: new Uint8Array(ids.length).fill(1, kept.length) }], cut: true };
}
