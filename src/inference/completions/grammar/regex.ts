import { UsageError } from '../../../base/errors.js';
import { ANY_CHARACTER, intersect, others, type Ranges, unite } from './code-points.js';
import { characters, choice, EMPTY, type Piece, repeat, sequence } from './rules.js';

const DIGIT: Ranges = [[0x30, 0x39]];
const WORD: Ranges = unite(DIGIT, [[0x41, 0x5a]], [[0x5f, 0x5f]], [[0x61, 0x7a]]);
/** As ECMAScript has it: white space and ends of lines. */
const SPACE: Ranges = unite(
  [
    [0x09, 0x0d],
    [0x20, 0x20],
    [0xa0, 0xa0],
    [0x1680, 0x1680],
    [0x2000, 0x200a],
    [0x2028, 0x2029],
  ],
  [
    [0x202f, 0x202f],
    [0x205f, 0x205f],
    [0x3000, 0x3000],
    [0xfeff, 0xfeff],
  ],
);
const LINE_ENDS: Ranges = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
];
const CLASSES: Readonly<Record<string, Ranges>> = {
  d: DIGIT,
  D: others(DIGIT),
  w: WORD,
  W: others(WORD),
  s: SPACE,
  S: others(SPACE),
};
const CONTROLS: Readonly<Record<string, number>> = { t: 0x09, n: 0x0a, v: 0x0b, f: 0x0c, r: 0x0d, '0': 0 };
/** Groups inside groups. */
const DEEPEST = 200;

/** How a regular expression is read. */
export interface RegexReading {
  /** Whether a text need only hold a match (as JSON Schema's `pattern`), or must be one. */
  readonly search: boolean;
  /** What stands for characters, where that is not they themselves. */
  readonly spell?: (ranges: Ranges) => Piece;
}

/**
 * What a regular expression of ECMAScript (with its flag `u`) matches: characters, `.`, classes, `\d \w \s` and their
 * opposites, escapes, groups, `|`, `* + ? {n,m}`, and `^` and `$` at the ends of an alternative.
 *
 * @throws UsageError for what is not regular or not supported, by name and place
 */
export function readRegex(source: string, { search, spell = characters }: RegexReading): Piece {
  const anything = repeat(spell(ANY_CHARACTER), 0, Number.POSITIVE_INFINITY);
  const alternatives = new RegexReader(source, spell).read();
  return choice(
    ...alternatives.map(({ node, fromStart, toEnd }) =>
      search ? sequence(fromStart ? EMPTY : anything, node, toEnd ? EMPTY : anything) : node,
    ),
  );
}

interface Alternative {
  readonly node: Piece;
  readonly fromStart: boolean;
  readonly toEnd: boolean;
}

class RegexReader {
  readonly #points: readonly string[];
  #at = 0;

  constructor(
    private readonly source: string,
    private readonly spell: (ranges: Ranges) => Piece,
  ) {
    this.#points = Array.from(source);
  }

  read(): Alternative[] {
    try {
      new RegExp(this.source, 'u');
    } catch (error) {
      throw new UsageError(
        `The regular expression ${JSON.stringify(this.source)} is not valid: ${(error as Error).message}.`,
      );
    }
    const alternatives = this.#alternatives(0, true);
    if (this.#at < this.#points.length) throw this.#unsupported(`"${this.#points[this.#at]}"`);
    return alternatives;
  }

  #alternatives(depth: number, whole: boolean): Alternative[] {
    if (depth > DEEPEST) throw this.#unsupported(`more than ${DEEPEST} groups inside each other`);
    const alternatives = [this.#alternative(depth, whole)];
    while (this.#take('|')) alternatives.push(this.#alternative(depth, whole));
    return alternatives;
  }

  #alternative(depth: number, whole: boolean): Alternative {
    const fromStart = whole && this.#take('^');
    const parts: Piece[] = [];
    let toEnd = false;
    for (
      let next = this.#points[this.#at];
      next !== undefined && next !== '|' && next !== ')';
      next = this.#points[this.#at]
    ) {
      if (next === '$') {
        const after = this.#points[this.#at + 1];
        if (!whole || (after !== undefined && after !== '|')) throw this.#unsupported('"$" elsewhere than at the end');
        this.#at++;
        toEnd = true;
        break;
      }
      parts.push(this.#repeated(this.#atom(depth)));
    }
    return { node: sequence(...parts), fromStart, toEnd };
  }

  #repeated(body: Piece): Piece {
    const rest = this.#points.slice(this.#at, this.#at + 40).join('');
    const match = /^(?:[*+?]|\{(\d+)(,(\d*))?\})\??/.exec(rest);
    if (!match) return body;
    this.#at += match[0].length;
    if (match[0][0] === '*') return repeat(body, 0, Number.POSITIVE_INFINITY);
    if (match[0][0] === '+') return repeat(body, 1, Number.POSITIVE_INFINITY);
    if (match[0][0] === '?') return repeat(body, 0, 1);
    const min = Number(match[1]);
    const max = match[2] === undefined ? min : match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3]);
    return repeat(body, min, max);
  }

  #atom(depth: number): Piece {
    const start = this.#at;
    const point = this.#points[this.#at++]!;
    switch (point) {
      case '.':
        return this.spell(others(LINE_ENDS));
      case '[':
        return this.spell(this.#class());
      case '\\':
        return this.spell(this.#escape());
      case '^':
        this.#at = start;
        throw this.#unsupported('"^" elsewhere than at the beginning');
      case '(': {
        if (this.#take('?') && !this.#take(':')) {
          const named = /^<[^=!>][^>]*>/.exec(this.#points.slice(this.#at).join(''));
          if (!named) throw this.#unsupported(`"(?${this.#points[this.#at]}" (a look around, or flags)`);
          this.#at += Array.from(named[0]).length;
        }
        const nodes = this.#alternatives(depth + 1, false).map(({ node }) => node);
        this.#at++;
        return choice(...nodes);
      }
      default:
        return this.spell([[point.codePointAt(0)!, point.codePointAt(0)!]]);
    }
  }

  #class(): Ranges {
    const negated = this.#take('^');
    const parts: Ranges[] = [];
    while (!this.#take(']')) {
      const first = this.#member();
      const dash = this.#points[this.#at] === '-' && this.#points[this.#at + 1] !== ']';
      if (dash) {
        this.#at++;
        parts.push([[first[0]![0], this.#member()[0]![0]]]);
      } else parts.push(first);
    }
    const ranges = intersect(unite(...parts), ANY_CHARACTER);
    return negated ? others(ranges) : ranges;
  }

  #member(): Ranges {
    const point = this.#points[this.#at++]!;
    if (point !== '\\') return [[point.codePointAt(0)!, point.codePointAt(0)!]];
    if (this.#take('b')) return [[0x08, 0x08]];
    if (this.#take('-')) return [[0x2d, 0x2d]];
    return this.#escape();
  }

  /** What is after a backslash. */
  #escape(): Ranges {
    const point = this.#points[this.#at++]!;
    const ranges = CLASSES[point];
    if (ranges) return ranges;
    const control = CONTROLS[point];
    if (control !== undefined) return [[control, control]];
    const rest = this.#points.slice(this.#at, this.#at + 16).join('');
    const hex =
      point === 'x'
        ? /^([0-9a-f]{2})/i.exec(rest)
        : point === 'u'
          ? /^(?:\{([0-9a-f]+)\}|([0-9a-f]{4}))/i.exec(rest)
          : null;
    if (hex) {
      this.#at += hex[0].length;
      let code = Number.parseInt(hex[1] ?? hex[2]!, 16);
      const low = /^\\u(d[c-f][0-9a-f]{2})/i.exec(this.#points.slice(this.#at, this.#at + 6).join(''));
      if (code >= 0xd800 && code < 0xdc00 && low) {
        this.#at += 6;
        code = 0x10000 + ((code - 0xd800) << 10) + (Number.parseInt(low[1]!, 16) - 0xdc00);
      }
      return [[code, code]];
    }
    if (point === 'c')
      return [[this.#points[this.#at++]!.codePointAt(0)! % 32, this.#points[this.#at - 1]!.codePointAt(0)! % 32]];
    if (/[a-zA-Z0-9]/.test(point)) {
      this.#at -= 2;
      throw this.#unsupported(`"\\${point}"`);
    }
    return [[point.codePointAt(0)!, point.codePointAt(0)!]];
  }

  #take(point: string): boolean {
    if (this.#points[this.#at] !== point) return false;
    this.#at++;
    return true;
  }

  #unsupported(what: string): UsageError {
    return new UsageError(
      `The regular expression ${JSON.stringify(this.source)} has ${what} (at character ${this.#at + 1}), which is not supported here.`,
    );
  }
}
