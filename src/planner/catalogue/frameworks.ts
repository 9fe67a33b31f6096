import { UsageError } from '../../base/errors.js';
import { nearestNames } from '../../base/nearest.js';
import type { Arrangement, Framework, FrameworkHabits } from '../types.js';
import { type Constants, shippedConstants } from './constants.js';
import table from './frameworks.json' with { type: 'json' };

/** What a framework does unless told otherwise: taken where a description does not say. */
export interface FrameworkDefaults
  extends Pick<Arrangement, 'zero' | 'recompute' | 'flashAttention' | 'sequenceParallel'> {
  /** Whether stages are cut into chunks where a description does not say. */
  readonly interleaved: boolean;
  /** Format of products; without: bf16 where the card has it. */
  readonly precision?: Arrangement['precision'];
  /** Day (ISO 8601) from which it keeps sums of gradients in fp32 beside those in 16 bits; before, the latter alone. */
  readonly sumsFrom?: string;
  /** Last year in which it cut a rank's batch into as many micro-batches as a pipeline has ranks unless told otherwise. */
  readonly stageMicroBatchesUntil?: number;
}

/** What software is like: where nothing was measured of one, what others of its kind reach is the best guess. */
export type FrameworkKind = 'fused' | 'eager' | 'compiled' | 'fsdp' | 'zero' | 'meanfield';

interface Entry {
  readonly kind?: FrameworkKind;
  readonly habits: Partial<FrameworkHabits>;
  readonly defaults: Partial<FrameworkDefaults>;
  readonly source: string;
  /** Other names, or beginnings of them. */
  readonly aliases?: readonly string[];
  /** Entries that the same name stands for in other years. */
  readonly eras?: readonly { readonly from?: number; readonly until?: number; readonly entry: string }[];
}

const entries = table as unknown as Readonly<Record<string, Entry>>;
const fallback = entries.default!;
/** Beginnings of names with the entry they mean; longest first: `Megatron-LM 0.14` is not `Megatron-LM`. */
const beginnings = Object.entries(entries)
  .filter(([name]) => name !== 'default')
  .flatMap(([name, { aliases = [] }]) => [name, ...aliases].map((start) => [start.toLowerCase(), name] as const))
  .sort(([a], [b]) => b.length - a.length);

/**
 * The table's name for a framework: the longest that the given one starts with, else the longest that stands somewhere
 * in it (`in-house, on FSDP`); `default` where there is none.
 *
 * @param year when it was used: software of one name changes
 */
export function frameworkFamily(name: string, year?: number): string {
  const lower = name.trim().toLowerCase().slice(0, 200);
  const found = (beginnings.find(([start]) => lower.startsWith(start)) ??
    beginnings.find(([start]) => lower.includes(start)))?.[1];
  const era = entries[found ?? 'default']!.eras?.find(
    ({ from = 0, until = Number.POSITIVE_INFINITY }) => year !== undefined && year >= from && year <= until,
  );
  return era?.entry ?? found ?? 'default';
}

/** Habits of a framework; of one that the table does not know, those of its `default`. */
export function habitsOf(name: string, year?: number): FrameworkHabits {
  return { ...fallback.habits, ...entries[frameworkFamily(name, year)]!.habits } as FrameworkHabits;
}

/** What a framework does unless told otherwise. */
export function defaultsOf(name: string, year?: number): FrameworkDefaults {
  return { ...fallback.defaults, ...entries[frameworkFamily(name, year)]!.defaults } as FrameworkDefaults;
}

/** The kind of a framework of the table; undefined for its defaults. */
export const kindOf = (family: string): FrameworkKind | undefined => entries[family]?.kind;

/** The key of a fitted constant. */
export const pairKey = (family: string, accelerator: string): string => `${family} @ ${accelerator}`;

/**
 * A framework on an accelerator: its habits and the share of the roofline that its kernels reach there. A pair that
 * nothing was fitted for gets the default of the framework's kind, or of all.
 *
 * @param accelerator the catalogue's name
 */
export function findFramework(
  name: string,
  accelerator: string,
  constants: Constants = shippedConstants,
  year?: number,
): Framework {
  const family = frameworkFamily(name, year);
  const { fitted, kinds = {}, default: usual } = constants.efficiency;
  const own = fitted[pairKey(family, accelerator)];
  const habits = habitsOf(name, year);
  if (own !== undefined) return { name, efficiency: own, efficiencySource: 'fitted', habits };
  const kind = kindOf(family);
  const efficiency = (kind && kinds[kind]) ?? usual;
  return { name, efficiency, efficiencySource: 'default', habits };
}

/**
 * The framework that a user chose by name, on an accelerator; without a name the default, a current PyTorch trainer.
 *
 * @throws UsageError for one that the table does not know: a plan must not pass for one of it
 */
export function chosenFramework(
  name: string | undefined,
  accelerator: string,
  constants: Constants = shippedConstants,
): Framework {
  if (name !== undefined && name !== 'default' && frameworkFamily(name) === 'default') {
    const names = Object.keys(entries);
    throw new UsageError(
      `Unknown framework ${JSON.stringify(name.slice(0, 64))}. Nearest: ${nearestNames(name, names, 3).join(', ')}. ` +
        `Allowed: ${names.join(', ')}.`,
    );
  }
  return findFramework(name ?? 'default', accelerator, constants);
}
