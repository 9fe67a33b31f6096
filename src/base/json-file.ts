import { readFile } from 'node:fs/promises';
import { MeanfieldError, messageOf } from './errors.js';
import type { JsonValue } from './json.js';
import { parseJsonBytes } from './json-text.js';

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
