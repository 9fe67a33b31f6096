import { messageOf, UsageError } from '../../base/errors.js';
import type { SampleList } from '../../data/sampling/shuffled-samples.js';
import {
  checkArchitecture,
  checkObjective,
  checkSamples,
  kindOf,
  type OwnModule,
  type Samples,
} from './definitions.js';

/** What a module of one's own gives: its definitions, and its samples. */
export interface LoadedModule extends OwnModule {
  /** What it is called in messages. */
  readonly file: string;
}

const EXPORTS = { architecture: checkArchitecture, objective: checkObjective, samples: checkSamples } as const;

/**
 * Imports a module of one's own.
 *
 * @param url of a file
 * @throws UsageError when it cannot be imported, or what it exports does not fit
 */
export async function loadOwnModule(url: string): Promise<LoadedModule> {
  const file = decodeURIComponent(new URL(url).pathname.split('/').at(-1)!);
  let module: Record<string, unknown>;
  try {
    module = await import(url);
  } catch (error) {
    throw new UsageError(
      `Cannot import ${url}: ${messageOf(error)}. Expected a module that exports architecture, objective and samples; ` +
        "give its place as new URL('./model.js', import.meta.url).",
      { cause: error },
    );
  }
  const missing = Object.keys(EXPORTS).filter((name) => module[name] === undefined);
  if (missing.length > 0) {
    const names = Object.keys(module);
    throw new UsageError(
      `${file}: expected the exports architecture, objective and samples, got ${names.join(', ') || 'none'}. Export ` +
        `${missing.join(', ')} from ${url}, made by defineArchitecture, defineObjective and defineSamples.`,
    );
  }
  for (const [name, check] of Object.entries(EXPORTS))
    (check as (value: unknown, where: string) => void)(module[name], `${file}: ${name}`);
  return { ...(module as unknown as OwnModule), file };
}

/**
 * The samples of a module.
 *
 * @throws UsageError when they are no lists, or one is empty
 */
export async function samplesOf({ samples, file }: LoadedModule): Promise<Samples> {
  let given: unknown;
  try {
    given = await samples();
  } catch (error) {
    throw new UsageError(`${file}: samples failed: ${messageOf(error)}.`, { cause: error });
  }
  const lists = (given ?? {}) as Record<string, unknown>;
  for (const name of ['training', 'validation']) {
    const list = lists[name] as Partial<SampleList<unknown>> | undefined;
    if (Number.isSafeInteger(list?.length) && typeof list?.at === 'function' && list.length! > 0) continue;
    throw new UsageError(
      `${file}: expected samples to give { training, validation }, each a list of one sample or more, got ` +
        `${list === undefined ? kindOf(given) : `${kindOf(list)} as ${name}`}. Allowed: an array, or an object with length and at(index).`,
    );
  }
  return given as Samples;
}
