import { markLength, ObjectSplitter } from './read-objects.js';
import { isObject } from './row-text.js';

/** How the rows of a JSON file stand in it, and the fields of the first of them. */
export interface JsonTable {
  format: 'lines' | 'objects';
  fields: string[];
}

/**
 * Looks whether a text is a table in JSON, whatever its name: an object a line, an array of objects, or objects one
 * after the other over several lines. A single object over several lines is none; nor are arrays of anything else.
 *
 * @param start the start of the text, long enough to hold its first row
 * @param whole whether that is all of it
 */
export function tableOfJson(start: Uint8Array, whole: boolean): JsonTable | undefined {
  let at = markLength(start);
  while (isSpace(start[at])) at++;
  if (start[at] === 0x7b) return lines(start, at, whole) ?? objects(start);
  if (start[at] !== 0x5b) return undefined;
  do at++;
  while (isSpace(start[at]));
  return start[at] === 0x7b ? objects(start) : undefined;
}

/** Whether more of a text must be seen before {@link tableOfJson} can tell: its first line begins a table, and goes on. */
export function isCutRow(start: Uint8Array): boolean {
  let at = markLength(start);
  while (isSpace(start[at]) || start[at] === 0x5b) at++;
  if (start[at] !== 0x7b) return false;
  do at++;
  while (isSpace(start[at]));
  return start[at] === 0x22 && firstObject(start) === undefined;
}

function lines(start: Uint8Array, at: number, whole: boolean): JsonTable | undefined {
  let end = start.indexOf(0x0a, at);
  if (end < 0 && whole) end = start.length;
  const row = end < 0 ? undefined : objectOf(start.subarray(at, end));
  if (row === undefined) return undefined;
  // JavaScript may begin like a row; its second line is none.
  const next = start.indexOf(0x0a, end + 1);
  const second = start.subarray(end + 1, next < 0 ? (whole ? start.length : end + 1) : next);
  if (second.some((byte) => !isSpace(byte)) && objectOf(second) === undefined) return undefined;
  return { format: 'lines', fields: Object.keys(row) };
}

function objects(start: Uint8Array): JsonTable | undefined {
  const first = firstObject(start);
  const row = first === undefined ? undefined : objectOf(first.bytes);
  if (first === undefined || row === undefined || !(first.inList || first.goesOn)) return undefined;
  return { format: 'objects', fields: Object.keys(row) };
}

/** The first object within a text, and what is around it. */
function firstObject(start: Uint8Array): { bytes: Uint8Array; inList: boolean; goesOn: boolean } | undefined {
  try {
    for (const bytes of new ObjectSplitter('').add(start)) {
      const offset = bytes.byteOffset - start.byteOffset;
      let after = offset + bytes.length;
      while (isSpace(start[after])) after++;
      const inList = start.subarray(0, offset).includes(0x5b);
      return { bytes, inList, goesOn: start[after] === 0x7b };
    }
  } catch {
    // Not JSON.
  }
  return undefined;
}

function objectOf(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d);
}
