import { expect, test } from 'vitest';
import { given, resolveSources } from './sources.js';
import sources from './sources.json' with { type: 'json' };

test('keys stand for where a figure was found and how far it is a measurement', () => {
  expect(resolveSources({ measuredRates: 'mamf' })).toEqual({
    measuredRates: { kind: 'measured', where: expect.stringContaining('stas00/ml-engineering') },
  });
  expect(() => resolveSources({ rates: 'toString' })).toThrow(/no toString, named by rates/);
  expect(given('my.json')).toEqual({ kind: 'estimate', where: 'my.json' });
});

test('every source says its kind and where', () => {
  for (const [key, { kind, where }] of Object.entries(sources)) {
    expect(['datasheet', 'measured', 'paper', 'estimate'], key).toContain(kind);
    expect(where.length, key).toBeGreaterThan(15);
  }
});
