import { UsageError } from '../../base/errors.js';

/** A row's cells by column name. */
export type Cells = ReadonlyMap<string, string>;

/**
 * Reads comma-separated values with a header (RFC 4180: quotes, doubled quotes, line breaks within quotes, CR LF). A
 * byte order mark and empty lines are passed over.
 *
 * @throws UsageError when there is no header, a column is named twice, a quote is never closed, or a row has more
 *   cells than the header
 */
export function readCsv(text: string): { readonly columns: readonly string[]; readonly rows: readonly Cells[] } {
  const records = splitRecords(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
  const header = records.shift();
  if (!header) throw new UsageError('The table is empty: expected a header line with the names of its columns.');
  const columns = header.cells.map((name) => name.trim());
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined) throw new UsageError(`The header names column ${JSON.stringify(twice.slice(0, 64))} twice.`);
  const rows = records.map(({ cells, line }) => {
    if (cells.length > columns.length) {
      throw new UsageError(
        `Line ${line} has ${cells.length} cells, the header ${columns.length} columns. Put quotes around cells with commas.`,
      );
    }
    return new Map(columns.map((name, i) => [name, (cells[i] ?? '').trim()]));
  });
  return { columns, rows };
}

interface CsvRecord {
  readonly cells: string[];
  /** Where it starts, from 1. */
  readonly line: number;
}

function splitRecords(text: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  let cells: string[] = [];
  let cell = '';
  let quotedAt = 0;
  let line = 1;
  let start = 1;
  const endRecord = (): void => {
    cells.push(cell);
    if (cells.length > 1 || cells[0]!.trim() !== '') records.push({ cells, line: start });
    [cells, cell, start] = [[], '', line];
  };
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char === '\n') line++;
    if (quotedAt > 0) {
      if (char !== '"') cell += char;
      else if (text[i + 1] === '"') cell += text[++i];
      else quotedAt = 0;
    } else if (char === '"' && cell.trim() === '') [cell, quotedAt] = ['', line];
    else if (char === ',') {
      cells.push(cell);
      cell = '';
    } else if (char === '\n') endRecord();
    else if (char !== '\r') cell += char;
  }
  if (quotedAt > 0) throw new UsageError(`The quote opened in line ${quotedAt} is never closed.`);
  if (cell !== '' || cells.length > 0) endRecord();
  return records;
}
