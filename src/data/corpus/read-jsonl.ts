import { MeanfieldError, messageOf } from '../../base/errors.js';
import { LONGEST_ROW, rowText } from './row-text.js';
import type { DocumentPiece, TableRow } from './types.js';

/**
 * The documents of a JSON Lines file: the text in `field` of the object on each line. Blank lines are passed over.
 *
 * @throws MeanfieldError with file:line for a line that is not JSON or has no text in the field
 */
export async function* readJsonLines(
  chunks: AsyncIterable<Uint8Array>,
  path: string,
  field: string,
): AsyncGenerator<DocumentPiece> {
  for await (const { row, source } of jsonLineRows(chunks, path))
    yield { bytes: rowText(row, source, field), source, end: true };
}

/**
 * The values of a JSON Lines file, one a line. Blank lines are passed over.
 *
 * @throws MeanfieldError with file:line for a line that is not JSON
 */
export async function* jsonLineRows(chunks: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<TableRow> {
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
    let row: unknown;
    try {
      row = JSON.parse(text);
    } catch (error) {
      throw new MeanfieldError(
        `${source} is not valid JSON (${messageOf(error)}). Each line must be one JSON object.`,
        { cause: error },
      );
    }
    yield { row, source };
  }
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
    if (length > LONGEST_ROW) {
      throw new MeanfieldError(
        `${path}:${line} is longer than ${LONGEST_ROW} bytes. A JSONL file has one object a line; is this plain text?`,
      );
    }
  }
  if (length > 0) yield Buffer.concat(rest);
}
