import { open } from 'node:fs/promises';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { binaryReason, knownReason, nulReason, SNIFF_BYTES } from './binary.js';
import { bareName, type CorpusFile } from './find-files.js';
import { readBytes } from './read-bytes.js';
import { listed } from './row-text.js';
import { isCutRow, tableOfJson } from './table-of-json.js';
import type { CorpusOptions } from './types.js';

/** How the text of a file is to be read. */
export type Inspection = (
  | { format: 'text' | 'lines' | 'objects' | 'parquet' }
  | { format: 'empty' }
  /** Not text, and why. */
  | { format: 'binary'; reason: string }
  /** JSON in a folder that has no such field: a configuration or another program's. */
  | { format: 'other' }
) & {
  /** Whether it is gzip. */
  packed: boolean;
  /** What the user should hear of it. */
  remark?: string | undefined;
};

/** The part of the options that decides how files are read. */
export type FieldOption = Pick<CorpusOptions, 'field' | 'signal'>;

/** The longest row of JSON by which a file is known for a table. */
const LONGEST_FIRST_ROW = 1 << 26;

const inspections = new WeakMap<CorpusFile, Promise<Inspection>>();

/**
 * Looks into a file, once, how it is to be read: its content decides, not its name. A file of a folder is read to its
 * end if need be, since one with a NUL byte anywhere is passed over.
 *
 * @throws MeanfieldError when it cannot be read, or is named like a table and is none
 */
export function inspect(file: CorpusFile, options: FieldOption): Promise<Inspection> {
  let known = inspections.get(file);
  if (known === undefined) {
    known = look(file, options);
    inspections.set(file, known);
  }
  return known;
}

async function look(file: CorpusFile, options: FieldOption): Promise<Inspection> {
  const { path, named } = file;
  const name = bareName(path);
  const head = await firstOfFile(path);
  const magic = head.toString('latin1', 0, 4);
  if (magic === 'PAR1') return { format: 'parquet', packed: false };
  const gzip = head[0] === 0x1f && head[1] === 0x8b && head[2] === 8;
  if (!gzip && head.length > 0 && /\.(gz|parquet)$/i.test(path)) {
    // What only has the name, such as a pointer to the file, is called what it is; the rest is a damaged file.
    const reason = knownReason(head, path);
    if (reason !== undefined) return { format: 'binary', reason, packed: false };
  }
  if (name.endsWith('.parquet')) {
    if (gzip || /\.gz$/i.test(path)) throw new MeanfieldError(packedParquet(path));
    return { format: 'parquet', packed: false };
  }
  const packed = gzip || /\.gz$/i.test(path);

  const text = readBytes(path, packed);
  try {
    let { start, whole } = await firstBytes(text, SNIFF_BYTES);
    if (start.length === 0) return { format: 'empty', packed };
    if (start.toString('latin1', 0, 4) === 'PAR1') throw new MeanfieldError(packedParquet(path));
    const reason = binaryReason(start.subarray(0, SNIFF_BYTES), path);
    if (reason !== undefined) return { format: 'binary', reason, packed };
    while (!whole && start.length < LONGEST_FIRST_ROW && isCutRow(start)) {
      options.signal?.throwIfAborted();
      const more = await firstBytes(text, start.length);
      whole = more.whole;
      start = Buffer.concat([start, more.start]);
    }
    const inspection = formatOf(file, start, whole, options);
    if (!named && inspection.format !== 'other') {
      const nul = await firstNul(start, text, options.signal);
      if (nul !== undefined) return { format: 'binary', reason: nulReason(nul), packed };
    }
    return { ...inspection, packed };
  } finally {
    await text.return(undefined);
  }
}

function formatOf(
  { path, named }: CorpusFile,
  start: Uint8Array,
  whole: boolean,
  { field }: FieldOption,
): Pick<Inspection, 'remark'> & { format: 'text' | 'lines' | 'objects' | 'other' } {
  const name = bareName(path);
  const table = tableOfJson(start, whole);
  if (/\.(jsonl|ndjson)$/.test(name)) return { format: table?.format ?? 'lines' };
  const wanted = field ?? 'text';
  const has = table?.fields.includes(wanted);
  if (table !== undefined && has) return { format: table.format };
  if (name.endsWith('.json')) {
    if (!named) {
      if (table === undefined) return { format: 'other' };
      const remark = `Passed over ${path}, whose rows have no field "${wanted}"; they have: ${listed(table.fields)}.`;
      return { format: 'other', remark };
    }
    // Its reader says which fields there are.
    if (table !== undefined) return { format: table.format };
    return {
      format: 'text',
      remark: `${path} is JSON but no table (an array of objects, or one object a line): it is read as plain text.`,
    };
  }
  if (table !== undefined && named) {
    if (field !== undefined) return { format: table.format };
    return {
      format: 'text',
      remark:
        `${path} is read as plain text. It looks like rows of JSON without a field "${wanted}"; they have: ` +
        `${listed(table.fields)}. Named as field, the text of one is taken.`,
    };
  }
  if (/\.[ct]sv$/.test(name)) {
    return {
      format: 'text',
      remark:
        `${path} is read as plain text, with its header, separators and quotes. ` +
        'To learn from one column, write it to JSONL or Parquet and choose it as field.',
    };
  }
  return { format: 'text' };
}

async function firstOfFile(path: string): Promise<Buffer> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(4096), 0, 4096, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw new MeanfieldError(`Cannot read ${path}: ${messageOf(error)}.`, { cause: error });
  }
}

/** At least `length` bytes (all, where there are fewer), and whether there are no more. */
async function firstBytes(chunks: AsyncGenerator<Uint8Array>, length: number) {
  const parts: Uint8Array[] = [];
  let whole = false;
  for (let got = 0; got < length; ) {
    const next = await chunks.next();
    if (next.done) {
      whole = true;
      break;
    }
    parts.push(next.value);
    got += next.value.length;
  }
  return { start: Buffer.concat(parts), whole };
}

async function firstNul(start: Uint8Array, rest: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined) {
  let at = start.indexOf(0);
  if (at >= 0) return at;
  let offset = start.length;
  for await (const chunk of rest) {
    signal?.throwIfAborted();
    at = chunk.indexOf(0);
    if (at >= 0) return offset + at;
    offset += chunk.length;
  }
  return undefined;
}

function packedParquet(path: string): string {
  return `${path}: a Parquet file cannot be read through gzip; unpack it (gunzip) first.`;
}
