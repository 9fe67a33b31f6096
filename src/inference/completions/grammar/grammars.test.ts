import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../base/random.js';
import { BytesTokenizer } from '../../../data/tokenizers/bytes.js';
import { CharsTokenizer } from '../../../data/tokenizers/chars.js';
import type { Constraint } from '../completion.js';
import { accepts, allowedIds, writeRandomly } from './grammar.test-support.js';
import { Grammars } from './grammars.js';

const bytesOf = (id: number) => Uint8Array.of(id);
const END = 256;
const grammars = new Grammars(new BytesTokenizer({ mask: true }), { size: 257, end: new Set([END]) });
const schema = (value: unknown): Constraint => ({ kind: 'schema', schema: JSON.stringify(value) });
const regex = (source: string): Constraint => ({ kind: 'regex', regex: source });
const write = (constraint: Constraint, seed: number, wander = 40) =>
  writeRandomly(new Grammars(new BytesTokenizer(), { size: 256, end: new Set() }).mask(constraint), {
    size: 256,
    bytesOf,
    random: new Random(seed),
    wander,
  });

const leaf = fc.oneof(
  fc.record({ type: fc.constant('string'), minLength: fc.nat(3), maxLength: fc.integer({ min: 3, max: 12 }) }),
  fc.record({
    type: fc.constant('integer'),
    minimum: fc.integer({ min: -2000, max: 50 }),
    maximum: fc.integer({ min: 50, max: 3000 }),
  }),
  fc.record({
    type: fc.constant('number'),
    minimum: fc.integer({ min: -20, max: 5 }),
    exclusiveMaximum: fc.integer({ min: 6, max: 99 }),
  }),
  fc.constant({ type: ['boolean', 'null'] }),
  fc.constant({ type: 'string' }),
  fc.constant({ type: 'number' }),
  fc.record({ enum: fc.array(fc.jsonValue({ maxDepth: 1 }), { minLength: 1, maxLength: 4 }) }),
  fc.record({ type: fc.constant('string'), pattern: fc.constantFrom('^[a-z"\\\\]{2,5}$', 'b+', '^(é|😀)*x') }),
);
const schemas = fc.letrec((tie) => ({
  any: fc.oneof({ maxDepth: 3 }, leaf, tie('object'), tie('array'), tie('either')),
  object: fc
    .tuple(
      fc.dictionary(
        fc.string({ maxLength: 5 }).filter((name) => name !== '__proto__'),
        tie('any'),
        { maxKeys: 4 },
      ),
      fc.nat(15),
      fc.boolean(),
    )
    .map(([properties, bits, open]) => ({
      type: 'object',
      properties,
      required: Object.keys(properties).filter((_, i) => bits & (1 << i)),
      additionalProperties: open,
    })),
  array: fc.record({
    type: fc.constant('array'),
    items: tie('any'),
    minItems: fc.nat(2),
    maxItems: fc.integer({ min: 2, max: 4 }),
  }),
  either: fc.record({ anyOf: fc.array(tie('any'), { minLength: 1, maxLength: 3 }) }),
})).any;

describe('Grammars', () => {
  it('write only what parses and is valid, and accept it', () => {
    fc.assert(
      fc.property(schemas, fc.nat(), (value, seed) => {
        const validate = new Ajv2020({ strict: false, ownProperties: true }).compile(value as object);
        const text = write(schema(value), seed);
        expect(validate(JSON.parse(text)), text).toBe(true);
        expect(accepts(grammars.mask(schema(value)), Buffer.from(text))).toBe(true);
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  it('write objects for json, whole characters, and no blanks but after commas and colons', () => {
    for (let seed = 0; seed < 30; seed++) {
      const text = write({ kind: 'json' }, seed, 80);
      const value: unknown = JSON.parse(text);
      expect(Object.prototype.toString.call(value)).toBe('[object Object]');
      // A half of a character would be written as an escape.
      expect(JSON.stringify(value).replaceAll('\\\\', '')).not.toMatch(/\\ud[89a-f]/i);
      expect(text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '')).not.toMatch(/\s\s|[^,:]\s/);
    }
  });

  it.each([
    '[a-f]{2,4}|x+y?',
    '(?:ab|c)*\\.',
    '\\d{3}-\\w+',
    '[^a-z\\s]{1,3}',
    '(a*)*b',
    '(?<year>\\d\\d)?z',
    '[\\u{1F600}-\\u{1F64F}é]{2}',
    '^a.c$',
    '\\x41\\u0042[\\]\\-]',
    '(a|a)*c',
    'x{0,100000}y',
  ])('write only what the regular expression %s matches, as JavaScript has it', (source) => {
    for (let seed = 0; seed < 10; seed++) {
      let text = '';
      const mask = grammars.mask(regex(source));
      const random = new Random(seed, source);
      const bytes: number[] = [];
      for (let step = 0; ; step++) {
        const allowed = allowedIds(mask.next(), 257);
        const whole = mask.whole && step > 6;
        const id = whole
          ? END
          : allowed.filter((each) => each !== END)[
              Math.floor(random.uniform() * (allowed.length - (mask.whole ? 1 : 0)))
            ]!;
        if (id === END || id === undefined || step > 400) break;
        mask.accept(id);
        bytes.push(id);
      }
      if (!mask.whole) continue;
      text = new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes));
      expect(text).toMatch(new RegExp(`^(?:${source})$`, 'u'));
    }
  });

  it.each([
    ['a(?=b)', 'look around'],
    ['(a)\\1', '"\\1"'],
    ['\\bx', '"\\b"'],
    ['a^b', '"^"'],
    ['a$b', '"$"'],
    ['\\p{L}', '"\\p"'],
    ['(', 'not valid'],
    ['(?i:a)', '(?i'],
  ])('refuse the regular expression %s and say why', (source, why) => {
    expect(() => grammars.mask(regex(source))).toThrow(why);
  });

  it.each([
    [{ uniqueItems: true }, '"uniqueItems" (at #)'],
    [{ properties: { a: { multipleOf: 2 } } }, '"multipleOf" (at #/properties/a)'],
    [{ items: { not: {} } }, '"not" (at #/items)'],
    [{ maxLenght: 3 }, '"maxLenght"'],
    [{ patternProperties: { a: true } }, '"patternProperties"'],
    [{ type: 'string', pattern: 'a', maxLength: 3 }, '"maxLength"'],
    [{ type: 'number', minimum: 0.5 }, '"minimum"'],
    [{ oneOf: [{ type: 'integer' }, { type: 'number' }] }, '"oneOf"'],
    [{ $ref: 'https://example.com/a.json' }, '"$ref"'],
    [{ $ref: '#/$defs/none' }, 'not there'],
    [{ type: 'string', format: 'iri' }, '"format"'],
    [{ properties: { a: { $id: 'x', $ref: '#/a' } } }, '"$id"'],
    [{ $ref: '#' }, 'contradicts itself'],
    [{ anyOf: [{ $ref: '#' }, { type: 'null' }] }, 'never ends'],
    [{ type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }, 'without end'],
    [{ type: 'strnig' }, '"type"'],
    [7, 'must be an object'],
  ])('refuse the schema %j and say why', (value, why) => {
    expect(() => grammars.mask(schema(value))).toThrow(why);
  });

  it('read what explodes elsewhere in no time: bounds, alternatives of alternatives, depth', () => {
    const began = performance.now();
    let deep: object = { type: 'null' };
    for (let i = 0; i < 150; i++) deep = { type: 'array', items: deep };
    let wide: object = { type: 'string', maxLength: 1e9 };
    for (let i = 0; i < 16; i++) wide = { anyOf: [wide, { type: 'array', items: wide, maxItems: 1e12 }] };
    for (const value of [deep, { $defs: {}, ...wide }, { type: 'string', minLength: 1e6, maxLength: 1e15 }])
      try {
        grammars.mask(schema(value)).next();
      } catch (error) {
        expect(error).toMatchObject({ name: 'UsageError' });
      }
    expect(() => grammars.mask(regex(`${'('.repeat(5000)}a${')'.repeat(5000)}`))).toThrow('groups inside each other');
    expect(() => grammars.mask({ kind: 'schema', schema: ' '.repeat(1 << 20) })).toThrow('at most');
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  it('end a text once nothing more may come, with or without a token for it', () => {
    const mask = grammars.mask(regex('ab?'));
    mask.accept(0x61);
    expect([mask.ended, allowedIds(mask.next(), 257)]).toEqual([false, [0x62, END]]);
    mask.accept(0x62);
    expect([mask.ended, allowedIds(mask.next(), 257)]).toEqual([true, [END]]);
    expect(() => mask.accept(0x62)).toThrow('not allowed');
  });

  it('refuse by name what a vocabulary cannot write', () => {
    const chars = new CharsTokenizer([...'abc"{:}'].map((each) => each.codePointAt(0)!));
    const few = new Grammars(chars, { size: chars.vocabularySize, end: new Set() });
    expect(few.mask({ kind: 'json' }).ended).toBe(false);
    expect(() => few.mask(schema({ type: 'array' }))).toThrow('lacks the character "["');
    expect(() => few.mask(schema({ const: 'day' }))).toThrow('lacks the character "d"');
  });

  it('hold on to nothing of texts that are over', () => {
    for (let i = 0; i < 10_000; i++) {
      const mask = grammars.mask({ kind: 'json' });
      mask.accept(0x7b);
      mask.next();
    }
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < 10_000; i++) {
      const mask = grammars.mask({ kind: 'json' });
      mask.accept(0x7b);
      mask.next();
    }
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(40e6);
  });
});
