import { describe, expect, it } from 'vitest';
import { shapeOf } from './shape.js';

describe('shapeOf', () => {
  it.each([
    // Table 2.1 of arXiv 2005.14165.
    [124e6, 12, 768, 12],
    [1.3e9, 24, 2048, 16],
    [6.7e9, 32, 4096, 32],
    [13e9, 40, 5120, 40],
    [175e9, 96, 12_288, 96],
  ])('lays %d parameters out as GPT-3 did', (parameters, layers, hidden, heads) => {
    expect(shapeOf(parameters)).toMatchObject({ layers, hidden, heads, feedForward: 4 * hidden });
  });

  it('counts its parameters exactly', () => {
    // GPT-2 small: 124,439,808 with a context of 1,024 (openai/gpt-2).
    expect(shapeOf(124e6, { context: 1024 }).parameters).toBe(124_439_808);
  });

  it.each([1e7, 3e8, 2e9, 7e10, 1e12, 1e14, 1e15, 1e17])('meets %d parameters to a few per cent', (parameters) => {
    const { parameters: exact, layers, heads } = shapeOf(parameters);
    expect(Math.abs(exact / parameters - 1)).toBeLessThan(0.05);
    if (parameters >= 1e9) expect([layers % 8, heads % 8]).toEqual([0, 0]);
  });

  it.each([
    [1e6, 'gpt-1m'],
    [124e6, 'gpt-124m'],
    [999.9e6, 'gpt-1b'],
    [5.0457e10, 'gpt-50.5b'],
    [1e12, 'gpt-1t'],
    [1.234e17, 'gpt-123000t'],
  ])('names %d parameters %s', (parameters, name) => {
    expect(shapeOf(parameters).name).toBe(name);
  });

  it('refuses sizes that no such model has', () => {
    expect(() => shapeOf(10)).toThrow('for 1e+6 to 1e+18 parameters; got 10');
    expect(() => shapeOf(Number.NaN)).toThrow('got NaN');
    expect(() => shapeOf(1e19)).toThrow('got 10000000000000000000');
  });
});
