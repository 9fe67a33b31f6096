import { readFile } from 'node:fs/promises';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { validationText } from '../../planner/report/validation-text.js';
import { validateRows } from '../../planner/validate/index.js';
import type { Context } from '../terminal/context.js';

/** Predicts the rows of a table of measurements, and tells the errors. */
export async function validate(file: string, { output }: Context): Promise<number> {
  const validation = validateRows(await readTable(file));
  for (const row of validation.rows) output.event({ type: 'row', ...row });
  output.event(validation.result);
  output.text(validationText(validation));
  return 0;
}

/** A text file that the user named. @throws MeanfieldError when it cannot be read or is no UTF-8 */
export async function readTable(file: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch (error) {
    throw new MeanfieldError(`Cannot read ${file}: ${messageOf(error)}. Expected a CSV file in UTF-8.`, {
      cause: error,
    });
  }
}
