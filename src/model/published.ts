import { UsageError } from '../base/errors.js';
import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.js';
import sizes from './config-sizes.json' with { type: 'json' };
import table from './published-configs.json' with { type: 'json' };

/** What a published configuration class reads, as Python `transformers` has it. */
interface PublishedClass {
  readonly class: string;
  /** Every key with its default; null: derived from others, or absent. */
  readonly keys: JsonObject;
  /** Other spellings of a key, by spelling. */
  readonly spellings: Readonly<Record<string, string>>;
  /** Keys that have a default other than null and may yet be null. */
  readonly nullable: readonly string[];
}

const classes = table.families as unknown as Readonly<Record<string, PublishedClass>>;
const everywhere: ReadonlySet<string> = new Set(['model_type', ...table.everywhere, ...table.generation]);

/** Sizes that families share, by our names; `config.json` has the family's own. */
export const sizeNames = [
  'layers',
  'hidden',
  'heads',
  'keyValueHeads',
  'headSize',
  'feedForward',
  'vocabulary',
  'context',
] as const;
export type SizeName = (typeof sizeNames)[number];

type SizeKeys = Readonly<Partial<Record<SizeName, string>>>;

/** A family's keys of sizes; a name: as that family. */
const sizeKeys = sizes as unknown as Readonly<Record<string, SizeKeys | string>>;

const sizeKeysOf = (family: string): SizeKeys => {
  const keys = sizeKeys[family]!;
  return typeof keys === 'string' ? (sizeKeys[keys] as SizeKeys) : keys;
};

/** Every `model_type` whose configuration class is known. */
export const publishedFamilies: readonly string[] = Object.keys(classes);

/**
 * A `config.json` as the published class of its family reads it: by any spelling of a key, with the class's default for
 * what is left out. A key that holds null counts as left out, unless the class takes null for a value of its own.
 */
export class PublishedConfig {
  readonly family: string;
  /** The class's name, for messages. */
  readonly className: string;
  /** The keys that are given, by the class's own spelling, without those that count as left out. */
  readonly given: JsonObject;
  readonly #class: PublishedClass;

  /**
   * @throws UsageError for a family that is not known, for no object, or a key given by two spellings that differ
   */
  constructor(family: string, config: unknown) {
    if (!isJsonObject(config)) throw new UsageError('A model configuration is a JSON object, as config.json has it.');
    const known = Object.hasOwn(classes, family) ? classes[family] : undefined;
    if (known === undefined) throw new UsageError(`Unknown model_type ${brief(family)}.`);
    this.family = family;
    this.className = known.class;
    this.#class = known;
    const given = new Map<string, JsonValue>();
    for (const [spelling, value] of Object.entries(config)) {
      const key = Object.hasOwn(known.spellings, spelling) ? known.spellings[spelling]! : spelling;
      if (value === null && !known.nullable.includes(key)) continue;
      const other = given.get(key);
      if (other !== undefined && JSON.stringify(other) !== JSON.stringify(value)) {
        throw new UsageError(
          `${family}: ${key} is given twice, as ${brief(other)} and as ${brief(value)} (${spelling} is another spelling ` +
            'of it). Delete the one that is wrong.',
        );
      }
      given.set(key, value);
    }
    this.given = Object.fromEntries(given);
  }

  /** The key that holds a size; none where the family has no such size, or derives it. */
  sizeKey(name: SizeName): string | undefined {
    return sizeKeysOf(this.family)[name];
  }

  /** The value of a key, or within it at `a.b`: what is given, else the class's default; null and undefined: neither. */
  value(path: string): JsonValue | undefined {
    const given = valueAt(this.given, path);
    return given === undefined ? valueAt(this.#class.keys, path) : given;
  }

  /** Whether a key has its value from the class's default, and not from the file. */
  isDefault(path: string): boolean {
    return valueAt(this.given, path) === undefined;
  }

  /** Keys of sizes that the file leaves out. */
  leftOut(): string[] {
    const keys = sizeNames.map((name) => this.sizeKey(name));
    return keys.filter((key): key is string => key !== undefined && this.isDefault(key));
  }

  /** Keys that neither the class nor any other class reads. */
  unknownKeys(): string[] {
    const own = this.#class.keys;
    const known = (key: string) => everywhere.has(key) || Object.hasOwn(own, key);
    // Older spellings, which the class turns into the newer one.
    const older = Object.hasOwn(own, 'rope_parameters') ? ['rope_theta', 'rope_scaling'] : [];
    return Object.keys(this.given).filter((key) => !known(key) && !older.includes(key));
  }
}

function valueAt(object: JsonObject, path: string): JsonValue | undefined {
  let value: JsonValue | undefined = object;
  for (const key of path.split('.')) {
    if (!isJsonObject(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** A value of a file, short enough for a message. */
export function brief(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
