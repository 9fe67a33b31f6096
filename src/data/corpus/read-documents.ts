import { MeanfieldError, UsageError } from '../../base/errors.js';
import { spelledError } from '../../base/spelling.js';
import { nulReason } from './binary.js';
import { encodingHint } from './encodings.js';
import { type CorpusFile, type FoundFiles, findFiles } from './find-files.js';
import { type Inspection, inspect } from './inspect.js';
import { readBytes } from './read-bytes.js';
import { readJsonLines } from './read-jsonl.js';
import { readObjects } from './read-objects.js';
import { readParquet } from './read-parquet.js';
import type { CorpusOptions, CorpusStatistics, DocumentPiece } from './types.js';
import { Utf8Watch } from './utf8-watch.js';

/** How many names and remarks are kept. */
const KEPT = 100;

/** The documents of files and folders, one after the other, each in one or more pieces. */
export interface Documents extends AsyncIterable<DocumentPiece> {
  /** What was read so far. */
  readonly statistics: CorpusStatistics;
}

/**
 * Reads a corpus: text files (a document each), tables in JSON (lines or an array of objects) and Parquet (a document a
 * row), all but the last also packed with gzip, and folders of them. What a file is, its content says. Memory does not
 * grow with the size of a file.
 *
 * Can be iterated once. Without `found`, the files are looked for when the iteration starts.
 *
 * @throws MeanfieldError (from the iteration) when there is nothing to read, or a named file is binary or damaged
 * @throws UsageError for a field where there is no table
 * @throws DOMException (AbortError) when stopped by the signal
 * @example
 * const documents = readDocuments({ paths: ['books', 'chat.jsonl.gz'], field: 'text' });
 * for await (const { bytes, source, end } of documents) console.log(source, bytes.length, end);
 * console.log(documents.statistics.documents);
 */
export function readDocuments(options: CorpusOptions, found?: FoundFiles): Documents {
  const statistics: CorpusStatistics = {
    files: 0,
    documents: 0,
    bytes: 0,
    empty: 0,
    skippedBinary: 0,
    skippedBinaryFiles: [],
    skippedOther: 0,
    skippedLinks: 0,
    skippedLinkFiles: [],
    skippedRuns: [],
    remarks: [],
  };
  return {
    statistics,
    [Symbol.asyncIterator]: () => read(options, statistics, found),
  };
}

async function* read(
  options: CorpusOptions,
  statistics: CorpusStatistics,
  given: FoundFiles | undefined,
): AsyncGenerator<DocumentPiece> {
  const { files, ...skipped } = given ?? (await findFiles(options));
  Object.assign(statistics, skipped);
  if (options.field !== undefined) await requireTable(files, options);
  for (const file of files) {
    options.signal?.throwIfAborted();
    const inspection = await inspect(file, options);
    if (inspection.remark !== undefined) remark(statistics, inspection.remark);
    const before = statistics.bytes;
    for await (const piece of documentsOf(file, inspection, options.field ?? 'text', statistics)) {
      options.signal?.throwIfAborted();
      if (piece.bytes.length === 0) {
        statistics.empty++;
        continue;
      }
      statistics.bytes += piece.bytes.length;
      if (piece.end) statistics.documents++;
      yield piece;
    }
    if (statistics.bytes === before && file.named) remark(statistics, `${file.path} is empty and was passed over.`);
  }
  if (statistics.documents === 0) throw nothingToRead(options.paths, files, statistics);
}

function nothingToRead(
  paths: readonly string[],
  files: readonly CorpusFile[],
  statistics: CorpusStatistics,
): MeanfieldError {
  const [only] = files;
  if (files.length === 1 && only?.named) {
    return new MeanfieldError(`${only.path} is empty: there is no text to read in it.`);
  }
  const { empty, skippedBinary, skippedBinaryFiles, skippedOther, remarks } = statistics;
  const [binary] = skippedBinaryFiles;
  const example = binary === undefined ? '' : ` (${binary.path}: ${binary.reason})`;
  const more = remarks.slice(0, 3).map((sentence) => `\n${sentence}`);
  return new MeanfieldError(
    `No text in ${paths.join(', ')}: ${empty} empty, ${skippedBinary} binary files${example}, ` +
      `${skippedOther} of other kinds.${more.join('')}`,
  );
}

/** The documents of one file. */
async function* documentsOf(
  file: CorpusFile,
  inspection: Inspection,
  field: string,
  statistics: CorpusStatistics,
): AsyncGenerator<DocumentPiece> {
  const { path, named } = file;
  switch (inspection.format) {
    case 'empty':
      if (!named) statistics.empty++;
      return;
    case 'other':
      statistics.skippedOther++;
      return;
    case 'binary':
      if (named) throw new MeanfieldError(`${path} is not a text file: ${inspection.reason}.`);
      statistics.skippedBinary++;
      if (statistics.skippedBinaryFiles.length < KEPT) {
        statistics.skippedBinaryFiles.push({ path, reason: inspection.reason });
      }
      return;
  }
  statistics.files++;
  if (inspection.format === 'parquet') return yield* readParquet(path, field);
  const bytes = readBytes(path, inspection.packed);
  if (inspection.format === 'lines') return yield* readJsonLines(bytes, path, field);
  if (inspection.format === 'objects') return yield* readObjects(bytes, path, field);
  const watch = new Utf8Watch();
  yield* asOneDocument(plainText(bytes, path, watch), path);
  if (watch.found !== undefined) remark(statistics, notUtf8(path, watch.found));
}

/** @throws UsageError when no file is a table, so that the field that was asked for is in none */
async function requireTable(files: readonly CorpusFile[], options: CorpusOptions): Promise<void> {
  const read: string[] = [];
  for (const file of files) {
    const { format } = await inspect(file, options);
    if (format === 'lines' || format === 'objects' || format === 'parquet') return;
    if (format !== 'other' || file.named) read.push(file.path);
  }
  const examples = read.slice(0, 3).join(', ') + (read.length > 3 ? ', …' : '');
  throw spelledError(
    UsageError,
    ({ option }) =>
      `${option('field', options.field)} chooses a field of JSON rows or a column of Parquet, but there is no such ` +
      `table in ${options.paths.join(', ')}${examples === '' ? '' : ` (read: ${examples})`}. Leave ${option('field')} ` +
      'out for plain text.',
  );
}

/** Passes a text on, and refuses it where it proves not to be one. */
async function* plainText(bytes: AsyncIterable<Uint8Array>, path: string, watch: Utf8Watch) {
  let offset = 0;
  for await (const chunk of bytes) {
    const nul = chunk.indexOf(0);
    if (nul >= 0) throw new MeanfieldError(`${path} is not a text file: ${nulReason(offset + nul)}.`);
    offset += chunk.length;
    watch.add(chunk);
    yield chunk;
  }
  watch.end();
}

function notUtf8(path: string, guess: string): string {
  const hint = encodingHint(guess, path);
  return `${path} is not UTF-8; its bytes are read as they are.${hint === '' ? '' : ` Better: ${hint}.`}`;
}

function remark(statistics: CorpusStatistics, sentence: string): void {
  if (statistics.remarks.length < KEPT) statistics.remarks.push(sentence);
}

/** Marks the last piece, which is known only when there is no other. */
async function* asOneDocument(chunks: AsyncIterable<Uint8Array>, source: string): AsyncGenerator<DocumentPiece> {
  let held: Uint8Array | undefined;
  for await (const bytes of chunks) {
    if (bytes.length === 0) continue;
    if (held !== undefined) yield { bytes: held, source, end: false };
    held = bytes;
  }
  if (held !== undefined) yield { bytes: held, source, end: true };
}
