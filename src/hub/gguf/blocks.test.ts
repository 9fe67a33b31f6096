import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import blocks from '../../../test/fixtures/gguf/blocks.json' with { type: 'json' };
import { dequantize, READABLE_TYPES, type ReadableType } from './dequantize.js';
import { quantize, type WritableType } from './quantize.js';
import { bytesOf } from './types.js';

const bytesIn = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));
const floatsIn = (text: string) => new Float32Array(bytesIn(text).buffer);
const bits = (values: Float32Array) => new Uint32Array(values.buffer);
const { values: given, ...written } = blocks.write;

describe('blocks are read as Python gguf reads them, to the bit', () => {
  it.each(Object.entries(blocks.read))('%s', (type, { bytes, values }) => {
    const read = new Float32Array(floatsIn(values).length);
    dequantize(type as ReadableType, bytesIn(bytes), read);
    expect(bits(read)).toEqual(bits(floatsIn(values)));
    expect(bytesOf(type as ReadableType, read.length)).toBe(bytesIn(bytes).length);
  });

  it('every type that is read has a fixture', () => {
    expect(['F32', ...Object.keys(blocks.read)].sort()).toEqual([...READABLE_TYPES].sort());
  });
});

it.each(Object.entries(written))('%s: blocks are written as Python gguf writes them, to the bit', (type, bytes) => {
  expect(quantize(type as WritableType, floatsIn(given))).toEqual(bytesIn(bytes));
});

it('what is written is read again within half a step', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('Q8_0' as const, 'Q4_0' as const),
      fc.array(fc.float({ min: -2, max: 2, noNaN: true }), { minLength: 32, maxLength: 32 }),
      (type, list) => {
        const values = Float32Array.from(list);
        const read = new Float32Array(32);
        dequantize(type, quantize(type, values), read);
        const most = Math.max(...values.map(Math.abs));
        // Q4_0 reaches 7 of 8 steps on the other side of 0.
        const step = type === 'Q8_0' ? most / 127 / 2 : most / 8;
        for (const [i, value] of values.entries())
          expect(Math.abs(read[i]! - value)).toBeLessThanOrEqual(step * 1.02 + 2 ** -24 * 127);
      },
    ),
  );
});
