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

  it('feeds 0 behind the end of a short row, and a stand-in for what is no token', () => {
    const ids = new BigInt64Array(6).fill(9n);
    const targets = new BigInt64Array(6).fill(9n);
    fillTokens([Int32Array.of(1, -1, 3, 4), Int32Array.of(50, 60)], 3, ids, targets, 7);
    expect([...ids]).toEqual([1n, 50n, 7n, 60n, 3n, 0n]);
    expect([...targets]).toEqual([7n, 60n, 3n, 0n, 4n, 0n]);
  });

  it('refuses rows that are too long, or too short to tell anything', () => {
    const array = new BigInt64Array(6);
    const fill = (rows: number) => () => fillTokens([new Int32Array(4), new Int32Array(rows)], 3, array, array);
    expect(fill(5)).toThrow('rows of 2 to 4 tokens, got 5');
    expect(fill(1)).toThrow('got 1');
  });
});
