import { MeanfieldError } from '../../base/errors.js';
import { readRows } from './read-rows.js';
import { type ChatRow, parseRow } from './row.js';

/**
 * Of what form the rows of files are, as the first one tells: undefined where they are texts, which have a `text` of their
 * own, or no rows at all.
 */
export async function firstForm(files: readonly string[]): Promise<ChatRow['form'] | undefined> {
  try {
    for await (const { row } of readRows({ paths: files })) {
      const hasText = typeof (row as { text?: unknown } | null)?.text === 'string';
      const parsed = hasText ? undefined : parseRow(row);
      return parsed === undefined || 'fault' in parsed ? undefined : parsed.form;
    }
  } catch (error) {
    // Whoever reads the files as text tells what is wrong with them.
    if (!(error instanceof MeanfieldError)) throw error;
  }
  return undefined;
}
