import table from './file-names.json' with { type: 'json' };
import { NamePattern } from './name-patterns.js';

/** How files that others wrote name a family's tensors, beside the names that its architecture has. */
interface FamilyNames {
  /** What a file of the bare model leaves off. */
  readonly prefix?: string;
  /** Older ends of names, and today's. */
  readonly spellings?: Readonly<Record<string, string>>;
  /** Tensors that are another once more, by whose names: tied ones. */
  readonly copies?: Readonly<Record<string, string>>;
  /** Tables and masks that follow from the configuration. */
  readonly derived?: readonly string[];
  /** What belongs to heads: known, and left where the model has another head or none. */
  readonly heads?: readonly string[];
}

/** A family's names; a name: as that family. */
const families = table as unknown as Readonly<Record<string, FamilyNames | string>>;

/** A tensor's name in a file and what it is to the model. */
export type FileTensor =
  | { readonly kind: 'parameter' | 'copy'; readonly parameter: string }
  /** Nothing is lost when it is not read, or nobody here knows it. */
  | { readonly kind: 'derived' | 'head' | 'unknown' };

/** Tells what the tensors of a family's files are: by `file-names.json`. */
export class FileNames {
  readonly #family: FamilyNames;
  readonly #derived: readonly NamePattern[];
  readonly #heads: readonly NamePattern[];

  /** @param parameters the names that the model has */
  constructor(
    family: string,
    private readonly parameters: ReadonlySet<string>,
  ) {
    const named = Object.hasOwn(families, family) ? families[family]! : {};
    this.#family = (typeof named === 'string' ? families[named] : named) as FamilyNames;
    this.#derived = (this.#family.derived ?? []).map((text) => new NamePattern(text));
    this.#heads = (this.#family.heads ?? []).map((text) => new NamePattern(text));
  }

  /** What a tensor of a file is, by its name there. */
  find(name: string): FileTensor {
    const { prefix = '', spellings = {}, copies = {} } = this.#family;
    const older = Object.keys(spellings).find((end) => name.endsWith(end));
    const today = older === undefined ? name : name.slice(0, -older.length) + spellings[older]!;
    const names = prefix === '' || today.startsWith(prefix) ? [today] : [today, prefix + today];
    const parameter = names.find((each) => this.parameters.has(each));
    if (parameter !== undefined) return { kind: 'parameter', parameter };
    const copied = names.find((each) => Object.hasOwn(copies, each));
    if (copied !== undefined && this.parameters.has(copies[copied]!))
      return { kind: 'copy', parameter: copies[copied]! };
    const fits = (patterns: readonly NamePattern[]) =>
      patterns.some((pattern) => names.some((each) => pattern.fits(each)));
    if (fits(this.#derived)) return { kind: 'derived' };
    return { kind: fits(this.#heads) ? 'head' : 'unknown' };
  }
}
