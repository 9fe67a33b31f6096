import { describe, expect, it } from 'vitest';
import { NamePattern } from './name-patterns.js';

const fits = (pattern: string, name: string) => new NamePattern(pattern).fits(name);

describe('NamePattern', () => {
  it.each([
    ['transformer.wte.weight', 'transformer.wte.weight', true],
    ['wte.weight', 'transformer.wte.weight', true],
    ['te.weight', 'transformer.wte.weight', false],
    ['wte', 'transformer.wte.weight', false],
    ['wte.*', 'transformer.wte.weight', true],
    ['*', 'transformer.wte.weight', true],
    ['*.bias', 'transformer.h.0.ln_1.bias', true],
    ['*.bias', 'transformer.h.0.ln_1.weight', false],
    ['h.[0-2].*', 'transformer.h.2.ln_1.bias', true],
    ['h.[0-2].*', 'transformer.h.3.ln_1.bias', false],
    ['h.[0-2].*', 'transformer.h.12.ln_1.bias', false],
    ['h.[13].*', 'transformer.h.3.ln_1.bias', true],
    ['h.[13].*', 'transformer.h.2.ln_1.bias', false],
    ['h.[0-13].*', 'transformer.h.3.ln_1.bias', true],
    ['h.?.*', 'transformer.h.7.ln_1.bias', true],
    ['h.?.*', 'transformer.h.17.ln_1.bias', false],
    ['h.*.c_*.weight', 'transformer.h.7.attn.c_attn.weight', true],
    ['a*b*c', 'aXbXbXc', true],
    ['a*b*c', 'aXcXb', false],
    ['a.c', 'abc', false],
    ['', 'a.', true],
    ['', 'a', false],
  ])('%j of %j: %s', (pattern, name, expected) => {
    expect(fits(pattern, name)).toBe(expected);
  });

  it('needs no more time for a pattern that is meant to take long', () => {
    const started = performance.now();
    expect(fits('*a'.repeat(200), `${'a'.repeat(199)}b`)).toBe(false);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it('says what is wrong with a bracket that is not closed', () => {
    expect(() => new NamePattern('h.[0-2')).toThrow('The pattern h.[0-2 has a [ that no ] closes');
    expect(() => new NamePattern('h.[]')).toThrow('that no ] closes');
  });
});
