import { UsageError } from '../base/errors.js';
import { type Spelling, spelledError } from '../base/spelling.js';
import { NamePattern } from './name-patterns.js';

/** What is to be frozen of a model. */
interface Freezable {
  /** Its parameters, in its order. */
  readonly names: readonly string[];
  /** The one whose rows score the vocabulary's tokens: that of the embeddings where the two are tied. */
  readonly head: string;
}

/**
 * The names of the parameters that stay as they are. Patterns count in their order, several in one text being set apart
 * by commas: each freezes what it fits, and one that begins with `!` has trained again what it fits.
 *
 * @param patterns see {@link NamePattern}
 * @throws UsageError naming a pattern that fits nothing, or when nothing is left to train
 */
export function frozenNames(model: Freezable, patterns: readonly string[]): ReadonlySet<string> {
  const frozen = new Set<string>();
  for (const text of patterns.flatMap((one) => one.split(','))) {
    const thaws = text.trim().startsWith('!');
    const pattern = new NamePattern(text.trim().slice(thaws ? 1 : 0));
    const fitting = model.names.filter((name) => pattern.fits(name));
    const changed = thaws ? fitting.filter((name) => frozen.has(name)) : fitting;
    if (changed.length === 0) throw spelledError(UsageError, (say) => nothingFits(model, text.trim(), fitting, say));
    for (const name of changed) {
      if (thaws) frozen.delete(name);
      else frozen.add(name);
    }
  }
  if (frozen.size === model.names.length) throw spelledError(UsageError, (say) => nothingLeft(model, patterns, say));
  return frozen;
}

function nothingFits({ names, head }: Freezable, text: string, fitting: readonly string[], say: Spelling): string {
  const option = say.option('freeze', text);
  if (fitting.length > 0)
    return `${option} takes back what no pattern before it freezes (${summary(fitting)}). Give it after that pattern.`;
  return (
    `${option} fits none of the model's parameters. A pattern stands for a whole name, or for its end after a dot; * is ` +
    `any characters, ? one, [0-2] one of some. There are ${summary(names)}. The head is ${head}.`
  );
}

function nothingLeft({ names }: Freezable, patterns: readonly string[], say: Spelling): string {
  const block = names.findLast((name) => BLOCK.test(name));
  const some = block === undefined ? names.at(-1)! : `${/[^.]*\.\d+/.exec(block)![0]}.*`;
  return (
    `${say.option('freeze', patterns.join(','))} freezes all ${names.length} parameters of the model (${summary(names)}): ` +
    `nothing is left to train. Take some back, as !${some} after it does.`
  );
}

const BLOCK = /\.\d+\./;

/** Patterns of all names: of weight and bias together, and of all blocks. */
function summary(names: readonly string[]): string {
  return [...new Set(names.map((name) => name.replace(BLOCK, '.*.').replace(/\.(weight|bias)$/, '.*')))].join(', ');
}
