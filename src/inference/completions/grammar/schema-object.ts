import { others, unite } from './code-points.js';
import { COLON, COMMA, json, quoted } from './json-text.js';
import { characters, choice, EMPTY, literal, optional, type Piece, repeat, sequence } from './rules.js';

/** A property of an object. */
export interface Property {
  readonly name: string;
  readonly required: boolean;
  readonly value: Piece;
}

/**
 * An object with these properties in this order, and after them any number of others.
 *
 * @param rest what others hold; undefined for none
 */
export function objectOf(properties: readonly Property[], rest: Piece | undefined): Piece {
  const entries = properties.map(({ name, value }) => sequence(json(name), COLON, value));
  const other = rest && sequence(quoted(keyBeside(properties.map(({ name }) => name))), COLON, rest);
  const others = other ? repeat(sequence(COMMA, other), 0, Number.POSITIVE_INFINITY) : EMPTY;
  const after = (from: number): Piece[] =>
    properties.slice(from).map(({ required }, i) => {
      const entry = sequence(COMMA, entries[from + i]!);
      return required ? entry : optional(entry);
    });
  const first = properties.findIndex(({ required }) => required);
  if (first >= 0) {
    const before = entries.slice(0, first).map((entry) => optional(sequence(entry, COMMA)));
    return braced(sequence(...before, entries[first]!, ...after(first + 1), others));
  }
  const options = entries.map((entry, i) => sequence(entry, ...after(i + 1), others));
  if (other) options.push(sequence(other, others));
  return braced(options.length === 0 ? EMPTY : optional(choice(...options)));
}

const braced = (content: Piece): Piece => sequence(literal('{'), content, literal('}'));

/** Characters that stand for themselves in a string: with these alone each name has one spelling. */
const PLAIN = others(unite([[0, 0x1f]], [[0x22, 0x22]], [[0x5c, 0x5c]]));

/** All names of plain characters but these. */
function keyBeside(names: readonly string[]): Piece {
  const letters = new Map<string, string[]>();
  for (const name of names) {
    const [letter] = name;
    if (letter !== undefined) letters.set(letter, [...(letters.get(letter) ?? []), name.slice(letter.length)]);
  }
  const known = unite(
    ...[...letters.keys()].map((letter) => [[letter.codePointAt(0)!, letter.codePointAt(0)!]] as const),
  );
  const beside = others(unite(known, others(PLAIN)));
  const options: Piece[] = names.includes('') ? [] : [EMPTY];
  options.push(sequence(characters(beside), repeat(characters(PLAIN), 0, Number.POSITIVE_INFINITY)));
  for (const [letter, rests] of letters)
    if (PLAIN.some(([first, last]) => letter.codePointAt(0)! >= first && letter.codePointAt(0)! <= last))
      options.push(sequence(literal(letter), keyBeside(rests)));
  return choice(...options);
}
