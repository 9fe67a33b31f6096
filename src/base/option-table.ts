/**
 * Options as data: what each is called, takes, is by default and is for. The type, the check, the flags of the command
 * line and the help all come from one such table, which loads nothing else.
 */

/** Bounds of numbers. */
export interface NumberRange {
  readonly whole?: true;
  /** Smallest and largest allowed. */
  readonly least?: number;
  readonly most?: number;
  /** Not allowed themselves. */
  readonly above?: number;
  readonly below?: number;
}

/** The numbers that options take, by name. */
export const NUMBERS = {
  number: {},
  positive: { above: 0 },
  notNegative: { least: 0 },
  /** Neither none nor all. */
  fraction: { above: 0, below: 1 },
  /** None, but never all. */
  part: { least: 0, below: 1 },
  /** All, but never none. */
  share: { above: 0, most: 1 },
  factor: { above: 1 },
  whole: { whole: true, least: 0 },
  count: { whole: true, least: 1 },
  port: { whole: true, least: 0, most: 65_535 },
} as const satisfies Readonly<Record<string, NumberRange>>;

export type NumberKind = keyof typeof NUMBERS;

/** How workers come by a run's data: sent to them, in a folder that all see, or from a web server. */
export type DataSource = 'send' | { readonly path: string } | { readonly http: string };

/** One option; its name is its key in an {@link OptionTable}, in camel case. */
export interface OptionDefinition {
  /** `texts` may be given again and again; `source` is a {@link DataSource}. */
  readonly kind: NumberKind | 'flag' | 'text' | 'texts' | 'choice' | 'source';
  /** What it is for: a line of the help. */
  readonly help: string;
  /** Of `texts`: whether the command line takes `@file` for the lines of a file. */
  readonly file?: true;
  /** What stands for its value in the help, without the angle brackets. */
  readonly value?: string;
  readonly default?: number | string | boolean;
  /** Whether it must be given. */
  readonly required?: true;
  /** Of a flag that is undefined unless it is given: the help of its `--no-` form. */
  readonly no?: string;
  /** Of `text`: whether it may be empty. */
  readonly empty?: true;
  /** The default in words, where it depends on others. */
  readonly otherwise?: string;
  /** Of `choice`: all that it can be. */
  readonly choices?: readonly string[];
  /** Of `choice`: why there are no others. */
  readonly reason?: string;
  /** A word that may stand in place of a number. */
  readonly or?: string;
  /** Whether code may give null for none. */
  readonly nullable?: true;
  /** The smallest and the largest number, where its kind has none. */
  readonly least?: number;
  readonly most?: number;
}

export type OptionTable = Readonly<Record<string, OptionDefinition>>;

/** Options as they are given: each may be left out. Written out, as editors would show the name of an alias instead. */
export type OptionsOf<T extends OptionTable> = {
  -readonly [K in keyof T]?:
    | (T[K]['kind'] extends 'flag'
        ? boolean
        : T[K]['kind'] extends 'text'
          ? string
          : T[K]['kind'] extends 'texts'
            ? readonly string[]
            : T[K]['kind'] extends 'source'
              ? DataSource
              : T[K] extends { readonly choices: readonly (infer Choice)[] }
                ? Choice
                : number)
    | (T[K] extends { readonly or: infer Word } ? Word : never)
    | (T[K] extends { readonly nullable: true } ? null : never)
    | undefined;
};

/** What one option can be. */
export type ValueOf<D extends OptionDefinition> = Exclude<OptionsOf<{ readonly option: D }>['option'], undefined>;

type Defaulted<T extends OptionTable> = {
  [K in keyof T]: T[K] extends { readonly default: unknown } | { readonly required: true }
    ? K
    : T[K] extends { readonly kind: 'flag'; readonly no?: never }
      ? K
      : never;
}[keyof T];

/** Options with their defaults: a flag is off, and others are undefined, unless their definition says otherwise. */
export type ParsedOf<T extends OptionTable> = { -readonly [K in Defaulted<T>]: ValueOf<T[K]> } & {
  -readonly [K in Exclude<keyof T, Defaulted<T>>]?: ValueOf<T[K]> | undefined;
};

/** What an option is where it is not given. */
export function defaultOf({ kind, no, default: value }: OptionDefinition): OptionDefinition['default'] {
  return value ?? (kind === 'flag' && no === undefined ? false : undefined);
}

/** The numbers that an option takes. */
export function rangeOf({ kind, least, most }: OptionDefinition): NumberRange {
  const range: NumberRange = NUMBERS[kind as NumberKind];
  return { ...range, ...(least === undefined ? {} : { least }), ...(most === undefined ? {} : { most }) };
}

/** Whether a number lies in a range. */
export function inRange(value: number, { whole, least, most, above, below }: NumberRange): boolean {
  return (
    (whole ? Number.isSafeInteger(value) : Number.isFinite(value)) &&
    !(value < (least ?? value) || value > (most ?? value)) &&
    !(value <= (above ?? Number.NEGATIVE_INFINITY) || value >= (below ?? Number.POSITIVE_INFINITY))
  );
}

/** A range in words, such as `a whole number of 1 or more`. */
export function rangeInWords({ whole, least, most, above, below }: NumberRange): string {
  const noun = whole ? 'a whole number' : 'a number';
  if (least !== undefined && most !== undefined) return `${noun} from ${least} to ${most}`;
  const low = least !== undefined ? ` of ${least} or more` : above !== undefined ? ` above ${above}` : '';
  const high = below !== undefined ? `below ${below}` : most !== undefined ? `of ${most} or less` : '';
  const example = whole ? '' : high === '' ? ', such as 0.1 or 3e-3' : ', such as 0.1';
  return `${noun}${low}${low !== '' && high !== '' ? ' and' : ''}${high && ` ${high}`}${low === '' || high !== '' ? example : ''}`;
}
