import { expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { requireWindow, tokensInMemory } from './token-source.js';

it('reads ranges, also into a given array', () => {
  const tokens = tokensInMemory([10, 11, 12, 13]);
  expect(tokens.length).toBe(4);
  expect([...tokens.read(1, 2)]).toEqual([11, 12]);
  expect([...tokens.read(0, 0)]).toEqual([]);
  const into = Int32Array.of(1, 2, 3);
  expect(tokens.read(3, 1, into, 1)).toBe(into);
  expect([...into]).toEqual([1, 13, 3]);
  for (const [start, count] of [
    [3, 2],
    [-1, 1],
    [0.5, 1],
    [0, -1],
  ] as const) {
    expect(() => tokens.read(start, count)).toThrow(RangeError);
  }
});

it('requireWindow names the part, the lengths and what to do', () => {
  expect(() => requireWindow({ length: 65 }, 64)).not.toThrow();
  expect(() => requireWindow({ length: 64 }, 64)).toThrow(MeanfieldError);
  expect(() => requireWindow({ length: 64 }, 64)).toThrow(
    /training part has 64 tokens, but a context of 64 needs at least 65\. Use more text or a `context` of at most 63/,
  );
  expect(() => requireWindow({ length: 0 }, 8, 'validation')).toThrow(
    /too little text.*validation part has 0 .*larger `validationFraction`/,
  );
});
