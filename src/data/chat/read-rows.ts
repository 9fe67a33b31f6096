import { MeanfieldError } from '../../base/errors.js';
import { findFiles } from '../corpus/find-files.js';
import { inspect } from '../corpus/inspect.js';
import { readBytes } from '../corpus/read-bytes.js';
import { jsonLineRows } from '../corpus/read-jsonl.js';
import { jsonObjectRows } from '../corpus/read-objects.js';
import { parquetRows } from '../corpus/read-parquet.js';
import type { CorpusOptions, TableRow } from '../corpus/types.js';

/**
 * The rows of tables: JSON Lines, JSON arrays of objects (both also packed with gzip), and Parquet, of files and folders.
 *
 * @throws MeanfieldError for a file that is damaged or, named itself, no table; with its place, for a row that is no JSON
 * @throws DOMException (AbortError) when stopped by the signal
 */
export async function* readRows(options: Omit<CorpusOptions, 'field'>): AsyncGenerator<TableRow> {
  const { files } = await findFiles(options);
  let tables = 0;
  for (const file of files) {
    // Which field a row must have is found row by row.
    const { format, packed } = await inspect(file, { field: 'messages', signal: options.signal });
    if (format === 'lines' || format === 'objects' || format === 'parquet') tables++;
    else if (!file.named) continue;
    else
      throw new MeanfieldError(
        `${file.path} is ${format === 'empty' ? 'empty' : 'no table'}: expected rows, as JSON Lines, a JSON array of ` +
          'objects, or Parquet. For plain text leave the objective out.',
      );
    for await (const row of rowsOf(file.path, format, packed)) {
      options.signal?.throwIfAborted();
      yield row;
    }
  }
  if (tables === 0)
    throw new MeanfieldError(`No table in ${options.paths.join(', ')}: expected JSON Lines, JSON arrays or Parquet.`);
}

/** The files among which {@link readRows} looks for tables. */
export async function tablesIn(options: Omit<CorpusOptions, 'field'>): Promise<string[]> {
  return (await findFiles(options)).files.map(({ path }) => path);
}

function rowsOf(path: string, format: 'lines' | 'objects' | 'parquet', packed: boolean): AsyncGenerator<TableRow> {
  if (format === 'parquet') return parquetRows(path);
  const bytes = readBytes(path, packed);
  return format === 'lines' ? jsonLineRows(bytes, path) : jsonObjectRows(bytes, path);
}

/** Some rows at a time. */
export async function* batchesOf<T>(rows: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const row of rows) {
    batch.push(row);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
