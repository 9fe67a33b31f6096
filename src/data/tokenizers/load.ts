import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { parseTokenizer } from './parse.js';
import type { Tokenizer } from './tokenizer.js';

/**
 * Reads a tokenizer from a folder in Hugging Face layout (`tokenizer.json`, `tokenizer_config.json`): the kinds that
 * Meanfield writes and GPT-2's natively, any other through `@huggingface/tokenizers`.
 *
 * @throws MeanfieldError when a file is missing or cannot be understood
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const text = await readJsonText(join(folder, 'tokenizer.json'));
  const configText = await readJsonText(join(folder, 'tokenizer_config.json'), '{}');
  return parseTokenizer({ 'tokenizer.json': text, 'tokenizer_config.json': configText }, folder);
}

async function readJsonText(path: string, instead?: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (instead !== undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return instead;
    throw new MeanfieldError(`Cannot read the tokenizer: ${messageOf(error)}.`, { cause: error });
  }
}
