import { MeanfieldError } from '../../base/errors.js';
import { spelledError } from '../../base/spelling.js';

/** A long row of token ids of which ranges can be read. */
export interface TokenSource {
  readonly length: number;
  /**
   * Reads the ids `[start, start + count)`, into `into` from `offset` on when it is given.
   *
   * @throws RangeError when the range does not lie within the row
   */
  read(start: number, count: number, into?: Int32Array, offset?: number): Int32Array;
}

/** A row of tokens in memory, for short texts. */
export function tokensInMemory(ids: ArrayLike<number>): TokenSource {
  const all = Int32Array.from(ids);
  return {
    length: all.length,
    read(start: number, count: number, into: Int32Array = new Int32Array(count), offset = 0) {
      checkRange(start, count, all.length);
      into.set(all.subarray(start, start + count), offset);
      return into;
    },
  };
}

/** Reading outside a row of tokens is a mistake of ours, not of the user. */
export function checkRange(start: number, count: number, length: number): void {
  if (Number.isInteger(start) && Number.isInteger(count) && start >= 0 && count >= 0 && start + count <= length) return;
  throw new RangeError(`Tokens [${start}, ${start + count}) are outside [0, ${length}).`);
}

/**
 * Refuses a part of a corpus that is too short for a single sample.
 *
 * @param context how many tokens the model sees
 * @param part what to call the part in the error
 * @throws MeanfieldError when there is no window of `context` + 1 tokens
 */
export function requireWindow(
  tokens: { readonly length: number },
  context: number,
  part: 'training' | 'validation' = 'training',
): void {
  if (tokens.length >= context + 1) return;
  if (tokens.length < 2) {
    const fraction = part === 'training' ? 'smaller' : 'larger';
    throw spelledError(
      MeanfieldError,
      ({ option }) =>
        `There is too little text: its ${part} part has ${tokens.length === 1 ? '1 token' : '0 tokens'}, but a context ` +
        `of ${context} needs at least ${context + 1}. Use more text, or a ${fraction} ${option('validationFraction')}.`,
    );
  }
  throw spelledError(MeanfieldError, ({ option }) => {
    const other = part === 'training' ? '' : `, a larger ${option('validationFraction')}`;
    return (
      `The ${part} part has ${tokens.length} tokens, but a context of ${context} needs at least ${context + 1}. ` +
      `Use more text${other} or a ${option('context')} of at most ${Math.max(tokens.length - 1, 0)}.`
    );
  });
}
