import type { Source } from '../types.js';
import sources from './sources.json' with { type: 'json' };

/** Sources as the catalogue's files name them: a key of `sources.json` for each field. */
export type SourceKeys = Readonly<Record<string, string>>;

/** The sources of a record of the catalogue, by field. */
export function resolveSources(keys: SourceKeys): Record<string, Source> {
  return Object.fromEntries(
    Object.entries(keys).map(([field, key]) => {
      if (!Object.hasOwn(sources, key)) throw new Error(`sources.json has no ${key}, named by ${field}`);
      return [field, (sources as Record<string, Source>)[key]!];
    }),
  );
}

/** What the user's own file or option said. */
export const given = (where: string): Source => ({ kind: 'estimate', where });
