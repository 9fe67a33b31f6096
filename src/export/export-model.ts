import type { ExportOptions, ExportResult } from './options.js';

/**
 * Exports the best model of a run, or a model in another form, for other programs. It is written under another name
 * and put in its place when it is whole. An adapter is joined with its base in single precision, and rounded once; `peft`
 * writes it alone.
 *
 * @param model a run, a folder in Hugging Face's layout or PEFT's, or `org/name` of the hub
 * @throws UsageError for an option that is not allowed, or a form that this model cannot have
 * @throws MeanfieldError when a file is missing or damaged, a weight is too large for the numbers asked for, or the place
 * holds something that is no earlier export
 * @throws DOMException (AbortError) when stopped by the signal
 *
 * @example
 * import { exportModel } from 'meanfield';
 *
 * const { path, bytes } = await exportModel('runs/book', { to: 'hf', dtype: 'bf16', out: 'book-bf16' });
 * console.log(path, bytes);
 *
 * @category Using a model
 */
export async function exportModel(model: string, options: ExportOptions): Promise<ExportResult> {
  // Loaded when it is needed: it brings the engine.
  const { carryOut } = await import('./carry-out.js');
  return carryOut(model, options);
}
