import { readFile } from 'node:fs/promises';
import { MeanfieldError, messageOf } from './errors.js';
import { parseJsonBytes } from './json-text.js';

/** A value that JSON holds exactly. NaN and infinities are not among them: `JSON.stringify` turns them into null. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A JSON value with named fields. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** Whether a parsed JSON value has named fields. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The text of a JSON file as we write it: indented by two, with a final newline, keys in the order given. */
export function jsonText(value: JsonValue): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/**
 * Reads a file that must hold JSON.
 *
 * @param advice what the user can do when the file is missing or damaged, a whole sentence
 * @throws MeanfieldError when the file cannot be read or is no JSON
 */
export async function readJsonFile(path: string, advice: string): Promise<JsonValue> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new MeanfieldError(`Cannot read ${path}: ${messageOf(error)}. ${advice}`, { cause: error });
  }
  try {
    return parseJsonBytes(bytes).value as JsonValue;
  } catch (error) {
    throw new MeanfieldError(`${path} is damaged: expected JSON, got ${messageOf(error)}. ${advice}`, { cause: error });
  }
}
