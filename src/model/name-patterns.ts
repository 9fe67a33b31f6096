import { UsageError } from '../base/errors.js';

/** What stands for one character of a name; null: any number of any. */
type Element = ((character: string) => boolean) | null;

/**
 * A pattern of parameters' names, as shells have them: `*` any characters, `?` one, `[0-2]` or `[ab]` one of some. It
 * fits a name that it matches whole, or from after one of its dots: `wte.*` fits `transformer.wte.weight`. Time grows
 * with the product of both lengths at most, whoever wrote the pattern.
 */
export class NamePattern {
  readonly #elements: readonly Element[];

  /** @throws UsageError when a bracket is not closed */
  constructor(readonly text: string) {
    this.#elements = [...elementsOf(text)];
  }

  fits(name: string): boolean {
    for (let start = 0; start >= 0; start = name.indexOf('.', start) + 1 || -1)
      if (this.#matches(name.slice(start))) return true;
    return false;
  }

  #matches(name: string): boolean {
    const elements = this.#elements;
    let [at, i] = [0, 0];
    /** After the last star: where it stands, and how far it reaches by now. */
    let star: { readonly at: number; reach: number } | undefined;
    while (i < name.length) {
      const element = elements[at];
      if (element === null) {
        star = { at: at++, reach: i };
      } else if (element?.(name[i]!)) {
        at++;
        i++;
      } else {
        if (!star) return false;
        i = ++star.reach;
        at = star.at + 1;
      }
    }
    return elements.slice(at).every((element) => element === null);
  }
}

function* elementsOf(text: string): Generator<Element> {
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (character === '*') yield null;
    else if (character === '?') yield () => true;
    else if (character !== '[') yield (other) => other === character;
    else {
      const end = text.indexOf(']', i + 2);
      if (end < 0) {
        throw new UsageError(`The pattern ${text} has a [ that no ] closes: one of some characters is [abc] or [0-2].`);
      }
      yield oneOf(text.slice(i + 1, end));
      i = end;
    }
  }
}

/** @param set characters, and ranges of them such as `0-2` */
function oneOf(set: string): (character: string) => boolean {
  const ranges = set.match(/.-.|./gs)!.map((part) => [part[0]!, part.at(-1)!] as const);
  return (character) => ranges.some(([first, last]) => first <= character && character <= last);
}
