import type { LanguageModel } from '../../inference/language-model.js';
import { loadFor } from '../../inference/load.js';
import type { LoadOptions } from '../../inference/options.js';
import type { Use } from '../../inference/streamed/need.js';
import { bringModel } from '../hub/bring-model.js';
import type { Context } from '../terminal/context.js';
import type { Output } from '../terminal/output.js';

/**
 * The model that a command is given, with an adapter beside it where one is named, fetched where they have to be; what
 * should be known of their files is told.
 *
 * @param use what it is loaded for, where not for all
 * @returns undefined when it was interrupted
 */
export async function loadModel(
  run: string,
  adapter: string | undefined,
  context: Context,
  options: Pick<LoadOptions, 'precision' | 'memory'> = {},
  use: Use = {},
): Promise<LanguageModel | undefined> {
  if (!(await bringModel(run, context))) return undefined;
  if (!(await bringModel(adapter, context, false))) return undefined;
  const base = await loadFor(use, run, options);
  const model = adapter === undefined ? base : await base.withAdapter(adapter).finally(() => base.close());
  for (const message of model.notices) tellNotice(message, context.output);
  return model;
}

/** A notice, for machines and for people. */
export function tellNotice(message: string, output: Output): void {
  output.event({ type: 'notice', message });
  output.note(`note: ${message}\n`);
}
