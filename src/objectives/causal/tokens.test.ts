import { describe, expect, it } from 'vitest';
import { fillTokens } from './tokens.js';

describe('fillTokens', () => {
  it('lays rows out time-major, targets one token on', () => {
    const ids = new BigInt64Array(6);
    const targets = new BigInt64Array(6);
    fillTokens([Int32Array.of(1, 2, 3, 4), Int32Array.of(50, 60, 70, 80)], 3, ids, targets);
    expect([...ids]).toEqual([1n, 50n, 2n, 60n, 3n, 70n]);
    expect([...targets]).toEqual([2n, 60n, 3n, 70n, 4n, 80n]);
  });

  it('refuses rows of another length', () => {
    const array = new BigInt64Array(6);
    expect(() => fillTokens([new Int32Array(4), new Int32Array(3)], 3, array, array)).toThrow('rows of 4 tokens');
  });
});
