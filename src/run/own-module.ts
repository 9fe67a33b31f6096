import { fileURLToPath } from 'node:url';
import { messageOf, UsageError } from '../base/errors.js';
import { sha256File } from '../base/hash.js';
import { COMMAND_LINE, spelledError } from '../base/spelling.js';
import { isOwn, type OwnTrainOptions, type TrainOptions } from './options.js';
import type { Chosen, RunRecord } from './run-record.js';

/** Which module a run trains, as `run.json` keeps it. */
export type OwnModuleRecord = NonNullable<Chosen['module']>;

/**
 * Identifies the file of a module.
 *
 * @throws UsageError when it cannot be read
 */
export async function identifyModule(url: string): Promise<OwnModuleRecord> {
  try {
    return { url, sha256: await sha256File(fileURLToPath(url)) };
  } catch (error) {
    throw new UsageError(
      `Cannot read the module ${url}: ${messageOf(error)}. Expected \`model\` to be the place of a JavaScript file, such ` +
        "as new URL('./model.js', import.meta.url).",
      { cause: error },
    );
  }
}

/**
 * The module of a run that is taken up again: it is never imported because a run's folder names it, only when it is
 * given again, and must be the same file.
 *
 * @throws UsageError when none, another or a changed one is given
 */
export async function resumedModule(
  given: TrainOptions | OwnTrainOptions,
  { chosen }: RunRecord,
): Promise<OwnModuleRecord | undefined> {
  const was = chosen.module;
  if (was === undefined) {
    if (!isOwn(given)) return undefined;
    throw new UsageError(`${given.run} was started with a model of text. Leave \`model\` out to resume it.`);
  }
  if (!isOwn(given)) {
    throw spelledError(UsageError, (spelling) => {
      const how =
        spelling === COMMAND_LINE
          ? 'Resume it from code, by train() with that module as model'
          : `Give it again, as \`model: new URL('…', import.meta.url)\``;
      return `${given.run} was started with a model of one's own, ${was.url}, whose code a run does not keep. ${how}.`;
    });
  }
  const now = await identifyModule(given.model.href);
  if (now.sha256 !== was.sha256 && given.force !== true)
    throw new UsageError(
      `${given.model.href} is not the module that ${given.run} was started with: its sha256 is ${now.sha256.slice(0, 12)}…, ` +
        `that of ${was.url} was ${was.sha256.slice(0, 12)}…. Restore the file as it was, start a new run, or go on with it ` +
        'as it is now by `force: true`.',
    );
  return now;
}
