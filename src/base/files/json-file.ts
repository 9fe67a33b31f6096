import { readFile } from 'node:fs/promises';
import { MeanfieldError, messageOf } from '../errors.js';
import type { JsonValue } from '../json.js';
import { parseJsonBytes } from '../json-text.js';
import { knownFormat } from '../known-format.js';
import { pathFault } from './path-fault.js';

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
    const fault = (await pathFault(path, 'file')) ?? messageOf(error);
    throw new MeanfieldError(`Cannot read ${path}: ${fault}. ${advice}`, { cause: error });
  }
  return parseJsonFile(bytes, path, advice);
}

/** The JSON of a file that was read. Parameters and errors as for {@link readJsonFile}. */
export function parseJsonFile(bytes: Uint8Array, path: string, advice: string): JsonValue {
  try {
    return parseJsonBytes(bytes).value as JsonValue;
  } catch (error) {
    const known = knownFormat(bytes);
    if (known !== undefined) throw new MeanfieldError(`${path} is ${known}.`, { cause: error });
    throw new MeanfieldError(`${path} is damaged: expected JSON, got ${messageOf(error)}. ${advice}`, { cause: error });
  }
}
