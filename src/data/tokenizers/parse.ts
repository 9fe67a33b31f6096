import { MeanfieldError, messageOf } from '../../base/errors.js';
import { nativeTokenizer } from './parse-files.js';
import type { Tokenizer, TokenizerFiles } from './tokenizer.js';

/**
 * A tokenizer from the contents of its files.
 *
 * @param source what to call them in errors
 */
export async function parseTokenizer(files: TokenizerFiles, source: string): Promise<Tokenizer> {
  const json = parseJson(files['tokenizer.json'], pathIn(source, 'tokenizer.json'));
  const config = parseJson(files['tokenizer_config.json'], pathIn(source, 'tokenizer_config.json'));
  const native = nativeTokenizer(json);
  if (native !== undefined) return native;
  // Loaded here because few runs need it.
  const { ForeignTokenizer } = await import('./foreign.js');
  try {
    return new ForeignTokenizer(json, config, files);
  } catch (error) {
    throw new MeanfieldError(
      `${pathIn(source, 'tokenizer.json')} is not a tokenizer that can be read: ${messageOf(error)}.`,
      {
        cause: error,
      },
    );
  }
}

/** A file's path, of a folder or a URL of one. */
const pathIn = (folder: string, name: string): string => `${folder.replace(/[/\\]$/, '')}/${name}`;

function parseJson(text: string, path: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  } catch (error) {
    throw new MeanfieldError(`${path} is not valid JSON: ${messageOf(error)}.`, { cause: error });
  }
  throw new MeanfieldError(`${path} must hold a JSON object.`);
}
