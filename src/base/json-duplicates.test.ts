import fc from 'fast-check';
import { expect, test } from 'vitest';
import { duplicateKey } from './json-duplicates.js';

test.each([
  ['{"a":1,"a":2}', 'a'],
  ['{"a" \n:1,"\\u0061":2}', 'a'],
  ['[{"x":{"b":[],"c":0,"b":1}}]', 'b'],
  ['{"a":{"b":1},"b":{"a":1}}', undefined],
  ['[{"a":1},{"a":2}]', undefined],
  ['{"a":"a","b":"\\"a\\":{"}', undefined],
  ['{"a":["a","a"]}', undefined],
  ['{"":1,"":2}', ''],
  ['7', undefined],
])('%s', (text, key) => {
  expect(duplicateKey(text)).toBe(key);
});

test('whatever JSON.stringify writes has no key twice, until one is added', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), (value) => {
      const text = JSON.stringify(value);
      expect(duplicateKey(text)).toBeUndefined();
      const key = Object.keys(value).at(-1)!;
      expect(duplicateKey(`${text.slice(0, -1)},${JSON.stringify(key)}:0}`)).toBe(key);
    }),
  );
});
