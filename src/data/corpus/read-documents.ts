import { MeanfieldError } from '../../base/errors.js';
import { binaryReason, SNIFF_BYTES } from './binary.js';
import { bareName, type CorpusFile, type FoundFiles, findFiles } from './find-files.js';
import { readBytes } from './read-bytes.js';
import { readJsonLines } from './read-jsonl.js';
import { readParquet } from './read-parquet.js';
import type { CorpusOptions, CorpusStatistics, DocumentPiece } from './types.js';

const NAMES_KEPT = 100;

/** The documents of files and folders, one after the other, each in one or more pieces. */
export interface Documents extends AsyncIterable<DocumentPiece> {
  /** What was read so far. */
  readonly statistics: CorpusStatistics;
}

/**
 * Reads a corpus: text files (a document each), JSON Lines and Parquet (a document a row), any of the first two also
 * packed with gzip, and folders of them. Memory does not grow with the size of a file.
 *
 * Can be iterated once. Without `found`, the files are looked for when the iteration starts.
 *
 * @throws MeanfieldError (from the iteration) when there is nothing to read, or a named file is empty, binary or damaged
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
  };
  return {
    statistics,
    [Symbol.asyncIterator]: () => read(options, statistics, found),
  };
}

async function* read(
  options: CorpusOptions,
  statistics: CorpusStatistics,
  found: FoundFiles | undefined,
): AsyncGenerator<DocumentPiece> {
  const { files, ...skipped } = found ?? (await findFiles(options));
  Object.assign(statistics, skipped);
  for (const file of files) {
    let read = 0;
    for await (const piece of readFile(file, options.field ?? 'text', statistics)) {
      read += piece.bytes.length;
      statistics.bytes += piece.bytes.length;
      if (piece.end) statistics.documents++;
      yield piece;
    }
    if (read === 0 && file.named) throw new MeanfieldError(`${file.path} is empty: there is no text to read in it.`);
  }
  if (statistics.documents === 0) {
    throw new MeanfieldError(
      `No text in ${options.paths.join(', ')}: ${statistics.empty} empty, ${statistics.skippedBinary} binary files.`,
    );
  }
}

/** The documents of one file that are not empty. */
async function* readFile(file: CorpusFile, field: string, statistics: CorpusStatistics): AsyncGenerator<DocumentPiece> {
  const name = bareName(file.path);
  if (name.endsWith('.parquet')) {
    if (/\.gz$/i.test(file.path)) {
      throw new MeanfieldError(`${file.path}: a Parquet file cannot be read through gzip; unpack it (gunzip) first.`);
    }
    statistics.files++;
    yield* withText(readParquet(file.path, field), statistics);
    return;
  }
  const { start, rest } = await firstBytes(readBytes(file.path), SNIFF_BYTES);
  if (start.length === 0) {
    statistics.empty++;
    return;
  }
  const reason = binaryReason(start);
  if (reason !== undefined) {
    await rest.return?.(undefined);
    if (file.named) throw new MeanfieldError(`${file.path} is not a text file: ${reason}.`);
    statistics.skippedBinary++;
    if (statistics.skippedBinaryFiles.length < NAMES_KEPT) statistics.skippedBinaryFiles.push(file.path);
    return;
  }
  statistics.files++;
  const chunks = chain(start, rest);
  if (/\.(jsonl|ndjson)$/.test(name)) yield* withText(readJsonLines(chunks, file.path, field), statistics);
  else yield* asOneDocument(chunks, file.path);
}

async function* withText(documents: AsyncIterable<DocumentPiece>, statistics: CorpusStatistics) {
  for await (const piece of documents) {
    if (piece.bytes.length > 0) yield piece;
    else statistics.empty++;
  }
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

/** At least `length` bytes from the start (all, where there are fewer), and an iterator over what follows. */
async function firstBytes(chunks: AsyncGenerator<Uint8Array>, length: number) {
  const parts: Uint8Array[] = [];
  for (let got = 0; got < length; ) {
    const next = await chunks.next();
    if (next.done) break;
    parts.push(next.value);
    got += next.value.length;
  }
  return { start: Buffer.concat(parts), rest: chunks };
}

async function* chain(start: Uint8Array, rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield start;
  yield* rest;
}
