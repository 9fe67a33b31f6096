import { intersect, others, type Ranges, unite } from './code-points.js';
import { characters, choice, literal, oneOf, optional, type Piece, repeat, rule, sequence } from './rules.js';

/** Characters that stand for themselves inside a string of JSON. */
const PLAIN: Ranges = others(unite([[0, 0x1f]], [[0x22, 0x22]], [[0x5c, 0x5c]]));
const SHORT_ESCAPES: Readonly<Record<string, number>> = { '"': 0x22, '\\': 0x5c, b: 8, f: 12, n: 10, r: 13, t: 9 };
const HEX = oneOf('0-9a-fA-F');
const DIGIT = oneOf('0-9');
const INFINITE = Number.POSITIVE_INFINITY;

/** `,` and `:`, after which a blank may stand: the only one outside strings, so that no text is filled with them. */
export const COMMA = sequence(literal(','), optional(literal(' ')));
export const COLON = sequence(literal(':'), optional(literal(' ')));

/** One character of a string, in any of the ways in which JSON spells it; never half of a pair of surrogates. */
export const STRING_CHARACTER: Piece = choice(
  characters(PLAIN),
  sequence(
    literal('\\'),
    choice(
      oneOf('"\\/bfnrt'),
      sequence(
        literal('u'),
        choice(sequence(oneOf('0-9a-cA-CefEF'), HEX, HEX, HEX), sequence(oneOf('dD'), oneOf('0-7'), HEX, HEX)),
      ),
      sequence(
        literal('u'),
        oneOf('dD'),
        oneOf('89abAB'),
        HEX,
        HEX,
        literal('\\u'),
        oneOf('dD'),
        oneOf('c-fC-F'),
        HEX,
        HEX,
      ),
    ),
  ),
);

/** One of these characters inside a string, as `JSON.stringify` spells it. */
export function spelled(ranges: Ranges): Piece {
  const options: Piece[] = [];
  const plain = intersect(ranges, PLAIN);
  if (plain.length > 0) options.push(characters(plain));
  for (const [letter, point] of Object.entries(SHORT_ESCAPES))
    if (intersect(ranges, [[point, point]]).length > 0) options.push(literal(`\\${letter}`));
  const short = unite(...Object.values(SHORT_ESCAPES).map((point): Ranges => [[point, point]]));
  for (const [first, last] of intersect(intersect(ranges, [[0, 0x1f]]), others(short)))
    for (let point = first; point <= last; point++) options.push(literal(`\\u${point.toString(16).padStart(4, '0')}`));
  // A class without characters matches nothing.
  return options.length === 0 ? characters([]) : choice(...options);
}

export const quoted = (content: Piece): Piece => sequence(literal('"'), content, literal('"'));
/** A value as `JSON.stringify` writes it. */
export const json = (value: unknown): Piece => literal(JSON.stringify(value));

/** Digits of whole numbers: as many as a number holds exactly. */
export const MOST_DIGITS = 15;
const WHOLE = choice(literal('0'), sequence(oneOf('1-9'), repeat(DIGIT, 0, MOST_DIGITS - 1)));
const FRACTION = sequence(literal('.'), repeat(DIGIT, 1, 16));
const SIGN = optional(literal('-'));
/** Such that no number is beyond what a double holds. */
const EXPONENT = sequence(
  oneOf('eE'),
  choice(
    sequence(optional(oneOf('+-')), oneOf('0-9'), optional(DIGIT)),
    sequence(optional(oneOf('+-')), choice(sequence(oneOf('12'), DIGIT, DIGIT), sequence(literal('30'), oneOf('0-7')))),
  ),
);

/** Rules by which all JSON is written. */
export const JSON_RULES: ReadonlyMap<string, Piece> = new Map<string, Piece>([
  ['string', quoted(repeat(STRING_CHARACTER, 0, INFINITE))],
  ['integer', sequence(SIGN, WHOLE)],
  [
    'number',
    sequence(
      SIGN,
      choice(
        sequence(WHOLE, optional(FRACTION)),
        // What JSON.stringify writes out of larger ones.
        sequence(oneOf('1-9'), repeat(DIGIT, MOST_DIGITS, 20)),
        sequence(oneOf('0-9'), optional(FRACTION), EXPONENT),
      ),
    ),
  ],
  ['boolean', choice(literal('true'), literal('false'))],
  ['null', literal('null')],
  ['array', list(rule('value'), 0, INFINITE)],
  ['object', entries(sequence(rule('string'), COLON, rule('value')))],
  ['value', choice(...['string', 'number', 'boolean', 'null', 'array', 'object'].map(rule))],
]);

/** An array of `min` to `max` elements of a kind. */
export function list(element: Piece, min: number, max: number): Piece {
  const open = literal('[');
  const close = literal(']');
  if (max === 0) return sequence(open, close);
  const filled = sequence(element, repeat(sequence(COMMA, element), Math.max(0, min - 1), max - 1));
  return sequence(open, min === 0 ? optional(filled) : filled, close);
}

/** An object of any number of entries of a kind. */
function entries(entry: Piece): Piece {
  return sequence(literal('{'), optional(sequence(entry, repeat(sequence(COMMA, entry), 0, INFINITE))), literal('}'));
}
