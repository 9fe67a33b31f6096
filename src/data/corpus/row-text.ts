import { MeanfieldError } from '../../base/errors.js';
import { toBytes } from '../tokenizers/utf8.js';

/** Longer lines and rows would not fit into a JavaScript string. */
export const LONGEST_ROW = 2 ** 29 - 24;

/**
 * The text of a row of JSON, as UTF-8 (a lone surrogate becomes U+FFFD). Null is no text, as a row without a value is
 * in Parquet: an empty document.
 *
 * @param source what to call the row in errors
 * @throws MeanfieldError when the row is no object or has no text in the field
 */
export function rowText(row: unknown, source: string, field: string): Uint8Array {
  if (!isObject(row)) {
    throw new MeanfieldError(`${source}: expected a JSON object with a field "${field}", got ${kindOf(row)}.`);
  }
  if (!Object.hasOwn(row, field)) throw new MeanfieldError(noField(source, field, Object.keys(row)));
  const value = row[field] ?? '';
  if (typeof value !== 'string') {
    throw new MeanfieldError(`${source}: the field "${field}" must hold a string, it holds ${kindOf(value)}.`);
  }
  return toBytes(value);
}

/** Whether a value of JSON is an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What to say when a row or a file has no field of the wanted name. */
export function noField(source: string, field: string, found: readonly string[]): string {
  return `${source} has no field "${field}"; it has: ${listed(found)}. Choose one as field.`;
}

/** At most thirty names. */
export function listed(names: readonly string[]): string {
  return names.slice(0, 30).join(', ') + (names.length > 30 ? `, ... (${names.length})` : '') || 'none';
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (value === null) return 'null';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
