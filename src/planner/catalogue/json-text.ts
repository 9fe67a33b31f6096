import { open } from 'node:fs/promises';
import { messageOf, UsageError } from '../../base/errors.js';
import { pathFault } from '../../base/files/path-fault.js';
import type { JsonValue } from '../../base/json.js';
import { duplicateKey } from '../../base/json-duplicates.js';
import { type JsonText, parseJsonBytes } from '../../base/json-text.js';

/** A description of a cluster or a model takes a few kilobytes. */
const LARGEST_FILE = 2 ** 20;

/** Whether a name is meant as a file: it ends as one does, or has a folder before it. */
export const looksLikeFile = (name: string): boolean => /\.json$|[/\\]/i.test(name);

/**
 * Reads a JSON file that a user names.
 *
 * @param what what the file is, as in `a cluster file`
 * @throws UsageError when it cannot be read, is larger than 1 MiB, is no JSON, or has a key twice
 */
export async function readUserJson(path: string, what: string): Promise<JsonValue> {
  const fault = await pathFault(path, 'file');
  if (fault !== undefined) {
    const inside = fault.startsWith('it is a folder') ? ' Name the file in it.' : '';
    throw new UsageError(`Cannot read ${path}: ${fault}. Expected ${what}.${inside}`);
  }
  let bytes: Uint8Array;
  try {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      if (size > LARGEST_FILE) {
        throw new UsageError(`${path} has ${size} bytes; ${what} has at most ${LARGEST_FILE}.`);
      }
      bytes = await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`Cannot read ${path}: ${messageOf(error)}. Expected ${what}.`, { cause: error });
  }
  return parseUserJson(bytes, path);
}

/** @throws UsageError when the bytes are no JSON, or an object has a key twice */
export function parseUserJson(bytes: Uint8Array, path: string): JsonValue {
  let json: JsonText;
  try {
    json = parseJsonBytes(bytes);
  } catch (error) {
    throw new UsageError(`${path} is no JSON: ${messageOf(error)}.`, { cause: error });
  }
  const twice = duplicateKey(json.text);
  if (twice !== undefined) throw new UsageError(`${path} has the key ${JSON.stringify(twice.slice(0, 64))} twice.`);
  return json.value as JsonValue;
}
