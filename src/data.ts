/**
 * Text: corpora as `train` reads them, and tokenizers.
 *
 * @example
 * import { loadTokenizer, readTexts, trainTokenizer } from 'meanfield/data';
 *
 * const tokenizer = await trainTokenizer('bpe', readTexts(['books', 'chat.jsonl.gz']), { vocabularySize: 1024 });
 * console.log(tokenizer.encode('Once upon a time').length);
 * const other = await loadTokenizer('runs/book/model');
 * console.log(other.decode(other.encode('Once upon a time')));
 *
 * @packageDocumentation
 */
import { UsageError } from './base/errors.js';
import { readDocuments } from './data/corpus/read-documents.js';
import { BpeTokenizer } from './data/tokenizers/bpe.js';
import { BytesTokenizer } from './data/tokenizers/bytes.js';
import { CharacterSet, CharsTokenizer } from './data/tokenizers/chars.js';
import { type MadeTokenizer, TOKENIZERS } from './data/tokenizers/kinds.js';
import type { Tokenizer } from './data/tokenizers/tokenizer.js';
import { END_OF_TEXT } from './data/tokenizers/tokenizer-files.js';
import { trainBpe } from './data/tokenizers/train-bpe.js';
import { vocabularyFor } from './data/tokenizers/vocabulary-for.js';
import { WordCounter } from './data/tokenizers/word-counts.js';

export { MeanfieldError, UsageError } from './base/errors.js';
export { type Documents, readDocuments } from './data/corpus/read-documents.js';
export type { CorpusOptions, CorpusStatistics, DocumentPiece } from './data/corpus/types.js';
export type { MadeTokenizer, TokenizerKind } from './data/tokenizers/kinds.js';
export { loadTokenizer } from './data/tokenizers/load.js';
export type { SentinelTokens } from './data/tokenizers/sentinel-tokens.js';
export {
  type AroundPair,
  EncodeError,
  type StreamDecoder,
  type Tokenizer,
  type TokenizerFiles,
} from './data/tokenizers/tokenizer.js';

/** A pair that comes once in a text saves one token of it, and costs a row of the model's embedding. */
const MIN_FREQUENCY = 2;

/** How {@link trainTokenizer} learns. */
export interface TokenizerTraining {
  /** Of `bpe`: tokens with the 256 bytes and `<|endoftext|>`, from 257. Default: by the size of the text. */
  readonly vocabularySize?: number;
}

/**
 * Makes a tokenizer for texts, as `train` does for its corpus: `bytes` knows them already, `chars` has their characters,
 * `bpe` (arXiv 1508.07909, at the level of bytes) learns what comes often.
 *
 * @param texts each a whole one, since `bpe` learns within words
 * @throws UsageError for an unknown kind or a vocabulary that is too small
 * @throws MeanfieldError for `chars` without any character
 *
 * @example
 * import { writeFile } from 'node:fs/promises';
 * import { trainTokenizer } from 'meanfield/data';
 *
 * const tokenizer = await trainTokenizer('chars', ['to be', 'or not to be']);
 * for (const [name, content] of Object.entries(tokenizer.files())) await writeFile(name, content);
 */
export async function trainTokenizer(
  kind: MadeTokenizer,
  texts: Iterable<string> | AsyncIterable<string>,
  { vocabularySize }: TokenizerTraining = {},
): Promise<Tokenizer> {
  if (!TOKENIZERS.includes(kind))
    throw new UsageError(
      `Expected a kind of tokenizer, got ${JSON.stringify(kind)}. Allowed: ${TOKENIZERS.join(', ')}.`,
    );
  if (vocabularySize !== undefined && !(Number.isSafeInteger(vocabularySize) && vocabularySize > 256))
    throw new UsageError(`Expected vocabularySize to be a whole number of 257 or more, got ${vocabularySize}.`);
  const characters = new CharacterSet();
  const words = new WordCounter();
  let bytes = 0;
  if (kind !== 'bytes')
    for await (const text of texts) {
      const encoded = new TextEncoder().encode(text);
      bytes += encoded.length;
      if (kind === 'chars') characters.add(encoded);
      else words.addText(encoded);
    }
  if (kind === 'bytes') return new BytesTokenizer();
  if (kind === 'chars') return new CharsTokenizer(characters.points());
  const size = vocabularySize ?? vocabularyFor(bytes);
  return new BpeTokenizer(
    trainBpe(words.result(), { vocabularySize: size, special: [END_OF_TEXT], minFrequency: MIN_FREQUENCY }),
  );
}

/**
 * The texts of files and folders, each document as one string: {@link readDocuments} for what fits in memory one by one.
 *
 * @param paths text files, JSON, Parquet, gzip of each, and folders of them
 * @param field the field of JSON rows, or the column of Parquet files, that holds the text. Default `text`.
 * @throws MeanfieldError (from the iteration) when there is nothing to read, or a named file is binary or damaged
 *
 * @example
 * import { readTexts } from 'meanfield/data';
 *
 * for await (const text of readTexts(['book.txt'])) console.log(text.length);
 */
export async function* readTexts(paths: readonly string[], field?: string): AsyncGenerator<string> {
  let decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let text = '';
  for await (const { bytes, end } of readDocuments({ paths, field })) {
    text += decoder.decode(bytes, { stream: !end });
    if (!end) continue;
    yield text;
    text = '';
    decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  }
}
