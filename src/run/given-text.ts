import { join } from 'node:path';
import { UsageError } from '../base/errors.js';
import { writeFileAtomic } from '../base/files/atomic.js';

/**
 * Text from code: one text, or several, each a document of its own.
 *
 * @category Training
 */
export type GivenText = string | Iterable<string> | AsyncIterable<string>;

/** Where texts lie in a run's folder until there are tokens of them. */
export function textFile(folder: string): string {
  return join(folder, 'text.jsonl');
}

/** @throws UsageError */
export function checkGivenText(text: unknown): asserts text is GivenText {
  if (typeof text === 'string') return;
  if (typeof text === 'object' && text !== null && (Symbol.iterator in text || Symbol.asyncIterator in text)) return;
  throw new UsageError(
    `Expected \`text\` to be a string, or strings from an array or a generator, got ${text === null ? 'null' : typeof text}.`,
  );
}

/**
 * Writes texts down as rows of JSON, whole or not at all. Memory does not grow with their number.
 *
 * @throws UsageError for what is no string
 * @throws DOMException (AbortError) when stopped by the signal
 */
export async function writeGivenText(path: string, text: GivenText, signal: AbortSignal | undefined): Promise<void> {
  await writeFileAtomic(path, rows(typeof text === 'string' ? [text] : text, signal));
}

async function* rows(
  texts: Iterable<string> | AsyncIterable<string>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  let number = 0;
  for await (const text of texts) {
    signal?.throwIfAborted();
    if (typeof text !== 'string')
      throw new UsageError(`Expected \`text\` to give strings, got ${typeof text} as number ${number} of them.`);
    number++;
    yield new TextEncoder().encode(`${JSON.stringify({ text })}\n`);
  }
}
