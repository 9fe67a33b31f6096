import { UsageError } from '../../base/errors.js';

/** A table as text: the names of its columns, and its rows, each with as many cells. */
export interface CsvTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** The line of the file that each row starts in, from 1. */
  readonly lines: readonly number[];
}

/**
 * Reads comma-separated values (RFC 4180): quoted cells may hold commas, line ends and doubled quotes. Empty lines and
 * a byte order mark are passed over; cells are trimmed.
 *
 * @throws UsageError naming the line where a row has another number of cells than the head, or a quote is not closed
 */
export function parseCsv(text: string): CsvTable {
  const records = [...recordsOf(text.replace(/^\uFEFF/, ''))];
  const head = records.shift();
  if (!head) throw new UsageError('The table is empty; expected a line of column names and rows below it.');
  const columns = head.cells.map((cell) => cell.trim());
  for (const { cells, line } of records)
    if (cells.length !== columns.length)
      throw new UsageError(
        `Line ${line} of the table has ${cells.length} cells; its first line names ${columns.length} columns. Quote cells that hold commas.`,
      );
  return {
    columns,
    rows: records.map(({ cells }) => cells.map((cell) => cell.trim())),
    lines: records.map(({ line }) => line),
  };
}

/** One cell and what ends it: quoted, or plain up to a comma or the line's end. */
const CELL = /(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;

function* recordsOf(text: string): Generator<{ cells: string[]; line: number }> {
  let line = 1;
  let cells: string[] = [];
  let start = line;
  CELL.lastIndex = 0;
  while (CELL.lastIndex < text.length || cells.length > 0) {
    const at = CELL.lastIndex;
    const match = CELL.exec(text);
    if (!match)
      throw new UsageError(
        `Line ${line} of the table has a quote that does not enclose a whole cell: "${text.slice(at, at + 30).split('\n')[0]}". Write a quote within a cell twice, and close every cell's.`,
      );
    const [whole, quoted, plain, end] = match;
    cells.push(quoted === undefined ? plain! : quoted.replaceAll('""', '"'));
    line += whole.match(/\r\n|\n|\r/g)?.length ?? 0;
    if (end === ',') continue;
    if (cells.length > 1 || cells[0] !== '') yield { cells, line: start };
    cells = [];
    start = line;
  }
}
