import { UsageError } from '../../base/errors.js';
import { nearestNames } from '../../base/nearest.js';
import { printable } from '../../base/printable.js';
import table from './keys.json' with { type: 'json' };

/** What is made of keys of DeepSpeed's configuration; a key that ends in `.*` stands for a block and all in it. */
interface KeyGroup {
  /** `read` has a meaning here; `ignored` changes nothing of what is computed; `refused` would. */
  readonly is: string;
  readonly why?: string;
  /** Values that ask for nothing, and of which nothing is said. */
  readonly off?: readonly unknown[];
  readonly keys: readonly string[];
}

const GROUPS: ReadonlyMap<string, KeyGroup> = new Map(
  (table as readonly KeyGroup[]).flatMap((group) => group.keys.map((key) => [key, group])),
);

/** A configuration's values by their keys, those of blocks joined by dots. */
export interface SortedKeys {
  readonly read: ReadonlyMap<string, unknown>;
  /** Why keys do nothing here, and which. */
  readonly ignored: ReadonlyMap<string, readonly string[]>;
}

/**
 * Sorts what a configuration has by what is made of it. Values that ask for nothing (null, "auto" of Hugging Face's
 * Trainer, a block with `"enabled": false`) are left out.
 *
 * @throws UsageError for keys that DeepSpeed does not have, and for those that would change what is computed
 */
export function sortKeys(config: Readonly<Record<string, unknown>>, file: string): SortedKeys {
  const read = new Map<string, unknown>();
  const ignored = new Map<string, string[]>();
  for (const [key, value] of leaves(config, '')) {
    const group = groupOf(key);
    if (group === undefined) throw unknownKey(key, file);
    if (value === null || value === 'auto' || group.off?.includes(value)) continue;
    if (group.is === 'refused') throw new UsageError(`${file} has ${key}: ${group.why}. Delete it there.`);
    if (group.is === 'read') read.set(key, value);
    else ignored.set(group.why!, [...(ignored.get(group.why!) ?? []), key]);
  }
  return { read, ignored };
}

/** Values with their keys; of a block that is one group, the block itself. */
function leaves(block: Readonly<Record<string, unknown>>, before: string): [key: string, value: unknown][] {
  return Object.entries(block).flatMap(([name, value]): [string, unknown][] => {
    const key = `${before}${name}`;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[key, value]];
    if (!GROUPS.has(`${key}.*`)) return leaves(value as Record<string, unknown>, `${key}.`);
    return [[key, (value as { enabled?: unknown }).enabled === false ? null : value]];
  });
}

function groupOf(key: string): KeyGroup | undefined {
  return GROUPS.get(key) ?? GROUPS.get(`${key}.*`);
}

function unknownKey(key: string, file: string): UsageError {
  const names = [...GROUPS.keys()].map((name) => name.replace('.*', ''));
  const near = nearestNames(key, names, 3).join(', ');
  return new UsageError(
    `${file} has ${printable(key.slice(0, 80))}, which is no key of DeepSpeed's configuration. Did you mean ${near}? Correct it, or ` +
      'delete it.',
  );
}
