import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fields, leadingNumber } from './fields.js';

describe('leadingNumber', () => {
  it.each([
    ['400 (4x OPA100)', 400],
    ['3200?', 3200],
    ['1 (2)', 1],
    ['-2.5e3x', -2500],
    ['.5', 0.5],
    ['OOM', undefined],
    ['>1 (interleaved)', undefined],
    ['n/a', undefined],
    ['', undefined],
    ['1e999', undefined],
    ['Infinity', undefined],
    ['NaN', undefined],
  ])('of %j is %j', (cell, value) => {
    expect(leadingNumber(cell)).toBe(value);
  });

  it('is finite or nothing for any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const value = leadingNumber(text);
        expect(value === undefined || Number.isFinite(value)).toBe(true);
      }),
    );
  });
});

describe('Fields', () => {
  const fields = new Fields(new Map(Object.entries({ a: '12 cards', b: '-3', c: '2.6', d: '1e30' })));

  it('take positive numbers and counts, and nothing else', () => {
    expect([fields.number('a'), fields.number('b'), fields.number('none')]).toEqual([12, undefined, undefined]);
    expect([fields.count('c'), fields.count('d'), fields.count('a', 10)]).toEqual([3, undefined, undefined]);
  });

  it('note what they assume', () => {
    expect(fields.countOr('b', 7)).toBe(7);
    expect(fields.countOr('a', 7)).toBe(12);
    expect(fields.assumptions).toEqual(['b 7']);
  });
});
