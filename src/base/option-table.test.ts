import fc from 'fast-check';
import { expect, expectTypeOf, test } from 'vitest';
import { schemaOf } from './option-schema.js';
import {
  inRange,
  NUMBERS,
  type NumberKind,
  type OptionsOf,
  type OptionTable,
  type ParsedOf,
  rangeInWords,
} from './option-table.js';

const TABLE = {
  size: { kind: 'count', most: 64, default: 2, help: 'how many' },
  copies: { kind: 'count', or: 'auto', help: 'how many more' },
  limit: { kind: 'factor', nullable: true, help: 'how far' },
  kind: { kind: 'choice', choices: ['a', 'b'], reason: 'c is too slow', help: 'which' },
  loud: { kind: 'flag', help: 'whether' },
  open: { kind: 'flag', help: 'whether', no: 'or not' },
  from: { kind: 'source', help: 'where' },
  names: { kind: 'texts', help: 'whose' },
} as const satisfies OptionTable;

const schema = schemaOf(TABLE);
const problem = (value: object) => schema.safeParse(value).error?.issues[0]?.message;

test('a table says what its options are, before and after their check', () => {
  expectTypeOf<OptionsOf<typeof TABLE>>().branded.toEqualTypeOf<{
    size?: number | undefined;
    copies?: number | 'auto' | undefined;
    limit?: number | null | undefined;
    kind?: 'a' | 'b' | undefined;
    loud?: boolean | undefined;
    open?: boolean | undefined;
    from?: 'send' | { readonly path: string } | { readonly http: string } | undefined;
    names?: readonly string[] | undefined;
  }>();
  expectTypeOf<ParsedOf<typeof TABLE>['size']>().toEqualTypeOf<number>();
  expectTypeOf<ParsedOf<typeof TABLE>['loud']>().toEqualTypeOf<boolean>();
  expectTypeOf<ParsedOf<typeof TABLE>['open']>().toEqualTypeOf<boolean | undefined>();
  expectTypeOf<ParsedOf<typeof TABLE>['copies']>().toEqualTypeOf<number | 'auto' | undefined>();
  expect(schema.parse({})).toEqual({ size: 2, loud: false });
});

test('what a table allows is taken, and nothing else', () => {
  const given = { size: 64, copies: 'auto', limit: null, kind: 'a', loud: true, from: { path: '/x' }, names: ['n'] };
  expect(schema.parse(given)).toEqual(given);
  expect(problem({ size: 65 })).toMatch(/<=64/);
  expect(problem({ size: null })).toMatch(/expected number/);
  expect(problem({ copies: 'all' })).toBe('expected a whole number of 1 or more, or "auto"');
  expect(problem({ limit: 1 })).toMatch(/>1/);
  expect(problem({ kind: 'c' })).toBe('must be a or b: c is too slow');
  expect(problem({ from: { http: 'ftp://x' } })).toBeDefined();
  expect(problem({ other: 1 })).toMatch(/Unrecognized key: "other"/);
});

test('ranges are told in words', () => {
  const words = Object.fromEntries(Object.entries(NUMBERS).map(([kind, range]) => [kind, rangeInWords(range)]));
  expect(words).toEqual({
    number: 'a number, such as 0.1 or 3e-3',
    positive: 'a number above 0',
    notNegative: 'a number of 0 or more',
    fraction: 'a number above 0 and below 1, such as 0.1',
    part: 'a number of 0 or more and below 1, such as 0.1',
    share: 'a number above 0 and of 1 or less, such as 0.1',
    factor: 'a number above 1',
    whole: 'a whole number of 0 or more',
    count: 'a whole number of 1 or more',
    port: 'a whole number from 0 to 65535',
  });
});

test('a number is read on the command line if the check takes it, and only then', () => {
  const kinds = Object.keys(NUMBERS) as NumberKind[];
  const edges = fc.constantFrom(-1, 0, 0.5, 1, 2, 64, 65_535, 65_536, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY);
  fc.assert(
    fc.property(fc.constantFrom(...kinds), fc.oneof(edges, fc.double()), (kind, value) => {
      const checked = schemaOf({ x: { kind, help: '' } }).safeParse({ x: value }).success;
      expect(inRange(value, NUMBERS[kind]), `${kind} ${value}`).toBe(checked);
    }),
  );
});
