import type { AsyncBuffer, FileMetaData, ParquetReadOptions } from 'hyparquet';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { toBytes } from '../tokenizers/utf8.js';
import { noField } from './row-text.js';
import type { DocumentPiece, TableRow } from './types.js';

/**
 * The documents of a Parquet file: the rows of the column `field`, one group of rows in memory at a time. A row without
 * a value is an empty document.
 *
 * @throws MeanfieldError when the file is damaged, or has no such column, or the column does not hold text
 */
export async function* readParquet(path: string, field: string): AsyncGenerator<DocumentPiece> {
  // Strings are kept as the bytes that they are: decoding would lose what is not UTF-8.
  const parsers = { stringFromBytes: (bytes: Uint8Array) => bytes };
  for await (const { row, source } of parquetRows(path, { columns: [field], parsers, utf8: false })) {
    const value = row[field] ?? '';
    if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
      throw new MeanfieldError(`${source}: the column "${field}" must hold text, it holds ${typeof value}.`);
    }
    yield { bytes: toBytes(value), source, end: true };
  }
}

/** How {@link parquetRows} reads. */
type ParquetReading = Partial<Pick<ParquetReadOptions, 'columns' | 'parsers' | 'utf8'>>;

/**
 * The rows of a Parquet file as objects, one group of them in memory at a time.
 *
 * @throws MeanfieldError when the file is damaged or lacks a column
 */
export async function* parquetRows(
  path: string,
  reading: ParquetReading = {},
): AsyncGenerator<TableRow & { readonly row: Record<string, unknown> }> {
  // Loaded here because most corpora are not Parquet.
  const [{ asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema }, { compressors }] =
    await Promise.all([import('hyparquet'), import('hyparquet-compressors')]);
  let file: AsyncBuffer;
  let metadata: FileMetaData;
  let columns: string[];
  try {
    file = await asyncBufferFromFile(path);
    metadata = await parquetMetadataAsync(file);
    columns = parquetSchema(metadata).children.map((child) => child.element.name);
  } catch (error) {
    throw damaged(path, error);
  }
  for (const name of reading.columns ?? [])
    if (!columns.includes(name)) throw new MeanfieldError(noField(path, name, columns));
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    let rows: Record<string, unknown>[];
    try {
      rows = await parquetReadObjects({ file, metadata, rowStart, rowEnd, compressors, ...reading });
    } catch (error) {
      throw damaged(path, error);
    }
    for (const [i, row] of rows.entries()) yield { row, source: `${path}, row ${rowStart + i}` };
    rowStart = rowEnd;
  }
}

function damaged(path: string, error: unknown): MeanfieldError {
  return new MeanfieldError(`${path} is not a whole Parquet file (${messageOf(error)}). Fetch or write it again.`, {
    cause: error,
  });
}
