import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { nativeTokenizer } from './parse-files.js';
import type { Tokenizer, TokenizerFiles } from './tokenizer.js';

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

/**
 * A tokenizer from the contents of its files.
 *
 * @param source what to call them in errors
 */
export async function parseTokenizer(files: TokenizerFiles, source: string): Promise<Tokenizer> {
  const json = parseJson(files['tokenizer.json'], join(source, 'tokenizer.json'));
  const config = parseJson(files['tokenizer_config.json'], join(source, 'tokenizer_config.json'));
  const native = nativeTokenizer(json);
  if (native !== undefined) return native;
  // Loaded here because few runs need it.
  const { ForeignTokenizer } = await import('./foreign.js');
  try {
    return new ForeignTokenizer(json, config, files);
  } catch (error) {
    throw new MeanfieldError(
      `${join(source, 'tokenizer.json')} is not a tokenizer that can be read: ${messageOf(error)}.`,
      {
        cause: error,
      },
    );
  }
}

async function readJsonText(path: string, instead?: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (instead !== undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return instead;
    throw new MeanfieldError(`Cannot read the tokenizer: ${messageOf(error)}.`, { cause: error });
  }
}

function parseJson(text: string, path: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  } catch (error) {
    throw new MeanfieldError(`${path} is not valid JSON: ${messageOf(error)}.`, { cause: error });
  }
  throw new MeanfieldError(`${path} must hold a JSON object.`);
}
