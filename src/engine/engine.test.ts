import { describe, expect, it } from 'vitest';
import { add, dequantize, encode, gather, input } from '../graph/index.js';
import { checkArrays } from './engine.js';

const rows = gather(input('table', [3, 2]), input('ids', [4], 'int64'));
const program = encode({ y: add(rows, input('one', [])) }, 'cpu');
const feeds = { table: new Float32Array(6), ids: new BigInt64Array(4), one: new Float32Array(1) };

describe('checkArrays', () => {
  it('takes arrays of the right type and length, views too, and ignores what the program does not read', () => {
    const table = new Float32Array(10).subarray(2, 8);
    expect(() => checkArrays(program, { ...feeds, table, more: table }, { y: new Float32Array(8) })).not.toThrow();
  });

  it.each([
    [{ ...feeds, ids: undefined }, {}, 'input ids: expected BigInt64Array of 4 values for [4], got nothing'],
    [
      { ...feeds, ids: new Float32Array(4) },
      {},
      'input ids: expected BigInt64Array of 4 values for [4], got Float32Array of 4',
    ],
    [
      { ...feeds, table: new Float32Array(5) },
      {},
      'input table: expected Float32Array of 6 values for [3, 2], got Float32Array of 5',
    ],
    [
      { ...feeds, one: new Float32Array(0) },
      {},
      'input one: expected Float32Array of 1 values for [], got Float32Array of 0',
    ],
    [
      feeds,
      { y: new Float32Array(9) },
      'output y: expected Float32Array of 8 values for [4, 2], got Float32Array of 9',
    ],
    [feeds, { z: new Float32Array(8) }, 'the program has no output z'],
  ])('refuses others: case %#', (given, into, message) => {
    expect(() => checkArrays(program, given as typeof feeds, into as Record<string, Float32Array>)).toThrow(message);
  });

  it('tells 8-bit values from bytes', () => {
    const codes = dequantize(input('codes', [1, 2], 'int8'), input('scales', [1]));
    const quantized = encode({ y: codes }, 'cpu');
    const scales = new Float32Array(1);
    expect(() => checkArrays(quantized, { codes: new Int8Array(2), scales }, {})).not.toThrow();
    expect(() => checkArrays(quantized, { codes: new Float32Array(2), scales }, {})).toThrow(
      'input codes: expected Int8Array of 2 values for [1, 2], got Float32Array of 2',
    );
  });
});
