import { readdir } from 'node:fs/promises';
import { MeanfieldError } from '../errors.js';
import { spelledError } from '../spelling.js';

/**
 * What a folder holds; nothing where it is missing.
 *
 * @param given the option that names it
 * @throws MeanfieldError where it, or what is above it, is a file
 */
export async function namesIn(folder: string, given: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    if (code === 'ENOTDIR')
      throw spelledError(
        MeanfieldError,
        ({ option }) =>
          `${folder}, or what is above it, is a file, expected a folder. Choose another ${option(given)}.`,
      );
    throw error;
  }
}
