import { UsageError } from '../base/errors.js';
import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.js';
import rulesTable from './config-rules.json' with { type: 'json' };
import { brief, type PublishedConfig } from './published.js';
import rotaryScalings from './rotary-scalings.json' with { type: 'json' };

/** What Meanfield makes of the keys of a family's published class. Every key stands in one of the three. */
interface Rules {
  /** Keys that the model's trace follows. */
  readonly used?: readonly string[];
  /** Keys (`a.b`: within a) that Meanfield follows for these values alone; with another it would compute another model. */
  readonly only: Readonly<Record<string, readonly JsonValue[]>>;
  /** Keys that change no result here, and why. */
  readonly harmless: readonly { readonly why: string; readonly keys: readonly string[] }[];
  /** Kinds of layers that `rope_parameters` may have settings for, each of its own. */
  readonly rotaryByLayer?: readonly string[];
}

const rules = rulesTable as unknown as Readonly<Record<string, Rules>>;

/** Keys that hold settings of positions. */
const ROTARY = ['rope_parameters', 'rope_scaling'];

/** Families whose models can be trained and evaluated here. */
export const trainedFamilies: readonly string[] = Object.keys(rules).filter((name) => name !== 'everywhere');

/** The keys that the trace of a family follows. */
export const usedKeys = (family: string): readonly string[] => rules[family]!.used!;

/** The values that a family follows of keys (`a.b`: within a), where those are named; without one the key is refused. */
export const allowedValues = (family: string): Readonly<Record<string, readonly JsonValue[]>> => rules[family]!.only;

/** Keys that nobody knows: neither the published class, nor any program that writes such files, nor Meanfield. */
export function unknownKeys(read: PublishedConfig): string[] {
  return read.unknownKeys().filter((key) => !isKnown(read.family, key));
}

/** What a user should know of a configuration that is usable: keys that nothing here reads. */
export function configNotices(read: PublishedConfig): string[] {
  const unknown = [...unknownKeys(read), ...ROTARY.flatMap((key) => unknownSettings(read, key))];
  if (unknown.length === 0) return [];
  return [
    `config.json has keys that neither Meanfield nor ${read.className} reads: ${someNames(unknown)}. ` +
      'If the model depends on them, its results are not the right ones.',
  ];
}

/** Settings of positions, by their paths, that their type does not have. */
function unknownSettings(read: PublishedConfig, key: string): string[] {
  return settingsAt(read, key).flatMap(([path, settings]) => {
    const type = String(settings.rope_type ?? settings.type ?? 'default');
    const { required = [], optional = [] } = (rotaryScalings as Record<string, RotaryScaling>)[type] ?? {};
    const known = ['rope_theta', 'rope_type', 'type', 'partial_rotary_factor', ...required, ...optional];
    return Object.keys(settings).flatMap((name) => (known.includes(name) ? [] : [`${path}.${name}`]));
  });
}

type RotaryScaling = Readonly<Record<'required' | 'optional', readonly string[]>>;

/** The settings at a key with the path of each: those of all layers, or by the kind of layer where a family has that. */
function settingsAt(read: PublishedConfig, key: string): [path: string, settings: JsonObject][] {
  const value = read.given[key];
  if (!isJsonObject(value)) return [];
  const kinds = (rules[read.family]?.rotaryByLayer ?? []).filter((kind) => isJsonObject(value[kind]));
  if (kinds.length === 0) return [[key, value]];
  const rest = Object.fromEntries(Object.entries(value).filter(([name]) => !kinds.includes(name)));
  return [...kinds.map((kind): [string, JsonObject] => [`${key}.${kind}`, value[kind] as JsonObject]), [key, rest]];
}

/** The first of many names, and how many more there are. */
export function someNames(names: readonly string[]): string {
  const shown = names.slice(0, 5).map((name) => (name.length > 64 ? `${name.slice(0, 64)}…` : name));
  return shown.join(', ') + (names.length > shown.length ? ` and ${names.length - shown.length} more` : '');
}

/** Whether a key of a family is used, harmless, or watched over. */
export function isKnown(family: string, key: string): boolean {
  return [rules.everywhere, rules[family]].some(
    (each) =>
      each &&
      (each.used?.includes(key) ||
        Object.hasOwn(each.only, key) ||
        each.harmless.some(({ keys }) => keys.includes(key))),
  );
}

/** @throws UsageError naming the first key that asks for what Meanfield does not do */
export function refuseOthers(read: PublishedConfig): void {
  const { used = [], only } = rules[read.family]!;
  const general = Object.entries(rules.everywhere!.only).filter(([path]) => !used.includes(path));
  for (const [path, allowed] of [...general, ...Object.entries(only)]) {
    const value = read.value(path);
    if (value === undefined || value === null) continue;
    if (allowed.some((each) => JSON.stringify(each) === JSON.stringify(value))) continue;
    refuse(read.family, path, value, allowed.map(brief));
  }
  for (const key of ROTARY) {
    const value = read.given[key];
    if (value === undefined || value === null) continue;
    // Settings by kind of layer, of a family whose layers are of one.
    const wrong =
      !isJsonObject(value) || settingsAt(read, key).some(([, each]) => Object.values(each).some(isJsonObject));
    if (wrong) refuse(read.family, key, value, ['{"rope_type":"default","rope_theta":10000}']);
  }
}

function refuse(family: string, path: string, value: JsonValue, allowed: readonly string[]): never {
  const choices = allowed.length > 0 ? `${allowed.join(' or ')}, or leaving it out` : 'leaving it out';
  throw new UsageError(
    `The ${family} configuration is not usable: ${path} is ${brief(value)}, which Meanfield does not compute; allowed: ` +
      `${choices}. With it ignored, every result would be wrong: use Python transformers for this model.`,
  );
}
