import { plain } from '../../base/nearest.js';

/** What a name says of a card beside its model. */
export interface NameParts {
  /** Of the model alone, as the catalogue writes it: `H100` of `H100-SXM`. */
  readonly generation: string;
  readonly form?: 'sxm' | 'pcie';
  readonly memoryGB?: number;
  /** `HBM2e`, lower case. */
  readonly memoryType?: string;
  /** Watts. */
  readonly power?: number;
}

/** A catalogue's name without form, memory and power: `V100-SXM3-32GB-450W` is of the generation `V100`. */
export const generationOf = (name: string): string => name.replace(/-(sxm[0-9]?|pcie|gcd|[0-9]+gb|[0-9]+w)\b/gi, '');

/** What a generation is called where no card of it is named: the one that everybody bought. */
const architectures: readonly (readonly [RegExp, string])[] = [
  [/\bvolta\b/i, 'V100'],
  [/\bampere\b/i, 'A100'],
  [/\bhopper\b/i, 'H100'],
  [/\bblackwell\b/i, 'B200'],
];

/** Words that make another card of what stands before them. */
const variants = /\b(ultra|max|max-q|pro|super|ti|laptop|mobile|mig|lite|nano|duo)\b/gi;

/**
 * Reads a card's name by its parts: `H100 (HBM2e 96GB, 500W)` is an H100 of 96 GB that may take 500 W. A model must
 * stand there as a word of its own: an `H10` is no H100, and an `M2 Ultra` no M2.
 *
 * @param generations as {@link generationOf} gives them
 */
export function readName(name: string, generations: readonly string[]): NameParts | undefined {
  const text = name.slice(0, 200);
  const generation = generations
    .filter((one) => wordOf(one).test(text))
    .sort((a, b) => b.length - a.length)
    .at(0);
  const known = generation ?? architectures.find(([pattern]) => pattern.test(text))?.[1];
  if (known === undefined) return undefined;
  const others = (text.match(variants) ?? []).filter((word) => !plain(known).includes(plain(word)));
  if (others.length > 0) return undefined;
  const memory = /([0-9]{1,4}) *gi?b\b/i.exec(text);
  const power = /\b([0-9]{2,4}) *w(atts?)?\b/i.exec(text);
  const type = /\b(hbm[0-9]?e?|gddr[0-9]x?|lpddr[0-9]x?)\b/i.exec(text);
  const form = /pci-?e|\bnvl\b/i.test(text) ? 'pcie' : /sxm|\b[dh]gx\b|\boam\b/i.test(text) ? 'sxm' : undefined;
  return {
    generation: known,
    ...(form ? { form } : {}),
    ...(memory ? { memoryGB: Number(memory[1]) } : {}),
    ...(type ? { memoryType: type[1]!.toLowerCase() } : {}),
    ...(power ? { power: Number(power[1]) } : {}),
  };
}

/** A generation as a word; `TPUv4` is also written `TPU v4`, `RTX-4090` also `RTX 4090`, `H100` also `H100SXM5`. */
function wordOf(generation: string): RegExp {
  const letters = generation.replace(/[-\s]+/g, ' ').replace(/(TPU|Gaudi|Trainium|RTX|EPYC)(?=[v0-9])/, '$1 ');
  const flexible = letters.split(' ').join('[-\\s]*');
  return new RegExp(`(?<![a-z0-9])${flexible}(?![a-z0-9](?!xm))`, 'i');
}
