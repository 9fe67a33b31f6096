import { MeanfieldError } from '../../base/errors.js';
import { readRows } from './read-rows.js';
import { type ChatRow, parseRow, parseSourceRow } from './row.js';

/**
 * Of what form the rows of files are, as the first one tells: undefined where they are texts, which have a `text` of their
 * own, or no rows at all.
 */
export async function firstForm(files: readonly string[]): Promise<ChatRow['form'] | undefined> {
  const row = await firstRow(files);
  const hasText = typeof (row as { text?: unknown } | null | undefined)?.text === 'string';
  const parsed = hasText ? undefined : parseRow(row);
  return parsed === undefined || 'fault' in parsed ? undefined : parsed.form;
}

/** Whether the rows of files are sources with targets, as the first one tells. */
export async function holdsSources(files: readonly string[]): Promise<boolean> {
  return !('fault' in parseSourceRow(await firstRow(files)));
}

/** The first row of files; undefined where there is none. */
async function firstRow(files: readonly string[]): Promise<unknown> {
  try {
    for await (const { row } of readRows({ paths: files })) return row;
  } catch (error) {
    // Whoever reads the files as text tells what is wrong with them.
    if (!(error instanceof MeanfieldError)) throw error;
  }
  return undefined;
}
