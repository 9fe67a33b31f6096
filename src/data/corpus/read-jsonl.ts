import { MeanfieldError, messageOf } from '../../base/errors.js';
import { toBytes } from '../tokenizers/utf8.js';
import type { DocumentPiece } from './types.js';

/** Longer lines would not fit into a JavaScript string. */
const LONGEST_LINE = 2 ** 29 - 24;

/**
 * The documents of a JSON Lines file: the text in `field` of the object on each line. Blank lines are passed over; a
 * lone surrogate in a string becomes U+FFFD.
 *
 * @throws MeanfieldError with file:line for a line that is not JSON or has no text in the field
 */
export async function* readJsonLines(
  chunks: AsyncIterable<Uint8Array>,
  path: string,
  field: string,
): AsyncGenerator<DocumentPiece> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let line = 0;
  for await (const bytes of splitLines(chunks, path)) {
    line++;
    const source = `${path}:${line}`;
    let text: string;
    try {
      text = decoder.decode(bytes);
    } catch (error) {
      throw new MeanfieldError(`${source} is not UTF-8, which JSON must be.`, { cause: error });
    }
    if (text.trim() === '') continue;
    yield { bytes: toBytes(textOf(text, source, field)), source, end: true };
  }
}

function textOf(line: string, source: string, field: string): string {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (error) {
    throw new MeanfieldError(`${source} is not valid JSON (${messageOf(error)}). Each line must be one JSON object.`, {
      cause: error,
    });
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    const got = Array.isArray(row) ? 'an array' : row === null ? 'null' : `a ${typeof row}`;
    throw new MeanfieldError(`${source}: expected a JSON object with a field "${field}", got ${got}.`);
  }
  if (!Object.hasOwn(row, field)) throw new MeanfieldError(noField(source, field, Object.keys(row)));
  const value = (row as Record<string, unknown>)[field];
  if (typeof value !== 'string') {
    const got = Array.isArray(value) ? 'an array' : value === null ? 'null' : typeof value;
    throw new MeanfieldError(`${source}: the field "${field}" must hold a string, it holds ${got}.`);
  }
  return value;
}

/** What to say when a row or a file has no field of the wanted name. */
export function noField(source: string, field: string, found: string[]): string {
  const names = found.slice(0, 30).join(', ') + (found.length > 30 ? `, ... (${found.length})` : '');
  return `${source} has no field "${field}"; it has: ${names || 'none'}. Choose one with --field NAME.`;
}

/** Lines without their line feed; the last one need not have any. */
async function* splitLines(chunks: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array[] = [];
  let length = 0;
  let line = 1;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end: number; (end = chunk.indexOf(0x0a, start)) >= 0; start = end + 1, line++) {
      const last = chunk.subarray(start, end);
      yield rest.length === 0 ? last : Buffer.concat([...rest, last]);
      rest = [];
      length = 0;
    }
    rest.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > LONGEST_LINE) {
      throw new MeanfieldError(
        `${path}:${line} is longer than ${LONGEST_LINE} bytes. A JSONL file has one object a line; is this plain text?`,
      );
    }
  }
  if (length > 0) yield Buffer.concat(rest);
}
