import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../base/errors.js';
import type { JsonObject, JsonValue } from '../../base/json.js';
import { lawJson, type MeasuredLaw, readLaw } from './law-file.js';
import { computeOptimal } from './optimum.js';

const law: MeasuredLaw = {
  ...({ form: 'parametric', name: 'books', source: '15 runs' } as const),
  ...{ E: 1.1, A: 40, B: 250, alpha: 0.35, beta: 0.42, upTo: { parameters: 5e5, tokens: 1e7 } },
};
const json = lawJson(law) as JsonObject;

it('comes back as it was written', () => {
  expect(readLaw(JSON.parse(JSON.stringify(json)), 'law.json')).toEqual(law);
});

describe('readLaw', () => {
  it.each<[string, JsonValue]>([
    ['no object', 'chinchilla'],
    ['another format', { ...json, format: 'meanfield-calibration-1' }],
    ['no beta', Object.fromEntries(Object.entries(json).filter(([key]) => key !== 'beta'))],
    ['a loss that rises with parameters', { ...json, alpha: -0.3 }],
    ['a figure of text', { ...json, E: '1.1' }],
    ['more than there is', { ...json, gamma: 1 }],
    ['runs of nothing', { ...json, upTo: { parameters: 0, tokens: 1e7 } }],
    ['a name that a terminal would obey', { ...json, name: 'a\u001b[2J' }],
    ['a name of lines', { ...json, name: 'a\nb' }],
    ['a name without end', { ...json, name: 'a'.repeat(65) }],
    ['a polluted prototype', JSON.parse('{"__proto__":{"format":"meanfield-law-1"},"E":1}')],
  ])('refuses %s', (_, content) => {
    expect(() => readLaw(content, 'mine.json')).toThrow(/^mine\.json: expected a scaling law with "format"/);
  });

  it('takes nothing with which the planner could not count', () => {
    const figure = fc.oneof(fc.double(), fc.constantFrom(0, -1, 1e-300, 1e300, 1e-3, 10));
    const content = fc.record({ E: figure, A: figure, B: figure, alpha: figure, beta: figure });
    fc.assert(
      fc.property(content, (figures) => {
        let read: MeasuredLaw;
        try {
          read = readLaw({ ...json, ...figures }, 'mine.json');
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
          return;
        }
        const { loss } = computeOptimal({ parameters: 1e6 }, read);
        expect(Number.isNaN(loss)).toBe(false);
      }),
    );
  });
});
