import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { NodeEngine } from '../engine/node/engine.js';
import { blockProduct, blockRows, encode, input } from '../graph/index.js';
import { BLOCKS, headBlock, storeBlocks } from './block-weights.js';

/** What codes and scales stand for, a row an output. */
function values(
  { codes, scales }: ReturnType<typeof storeBlocks>,
  inputs: number,
  outputs: number,
  bits: 4 | 8,
  size: number = BLOCKS[bits],
) {
  const blocks = Math.ceil(inputs / size);
  const codeAt = (i: number) => (bits === 8 ? codes[i]! - 128 : ((codes[i >> 1]! >> (4 * (i & 1))) & 15) - 8);
  return Array.from({ length: outputs * inputs }, (_, n) => {
    const [o, i] = [Math.floor(n / inputs), n % inputs];
    return codeAt((o * blocks + Math.floor(i / size)) * size + (i % size)) * scales[o * blocks + Math.floor(i / size)]!;
  });
}

const shapes = fc.record({
  inputs: fc.integer({ min: 1, max: 150 }),
  outputs: fc.integer({ min: 1, max: 20 }),
  rows: fc.constantFrom('inputs' as const, 'outputs' as const),
  bits: fc.constantFrom(4 as const, 8 as const),
  seed: fc.nat(1000),
});

describe('storeBlocks', () => {
  it('stands for the weights to half a step of their block, or of 4 bits to one that is cut', () => {
    fc.assert(
      fc.property(shapes, ({ inputs, outputs, rows, bits, seed }) => {
        const random = new Random(seed);
        const weights = Float32Array.from({ length: inputs * outputs }, () => random.normal());
        const kept = values(storeBlocks(weights, { inputs, outputs, rows }, bits), inputs, outputs, bits);
        const size = BLOCKS[bits];
        for (let o = 0; o < outputs; o++)
          for (let from = 0; from < inputs; from += size) {
            const places = Array.from({ length: Math.min(size, inputs - from) }, (_, i) => from + i);
            const true_ = places.map((i) => weights[rows === 'outputs' ? o * inputs + i : i * outputs + o]!);
            const largest = Math.max(...true_.map(Math.abs));
            const worst = Math.max(...places.map((i, at) => Math.abs(kept[o * inputs + i]! - true_[at]!)));
            expect(worst).toBeLessThanOrEqual((bits === 8 ? largest / 254 : largest * 0.26) * 1.0001);
          }
      }),
      { numRuns: 60 },
    );
  });

  it('keeps what is all 0', () => {
    for (const bits of [4, 8] as const)
      expect(
        values(storeBlocks(new Float32Array(64), { inputs: 64, outputs: 1, rows: 'outputs' }, bits), 64, 1, bits),
      ).toEqual(Array.from({ length: 64 }, () => 0));
  });
});

describe('headBlock', () => {
  it('is 128 where filling the last block up adds an eighth at most', () => {
    expect([32, 64, 113, 114, 128, 129, 320, 576, 768, 4096].map(headBlock)).toEqual([
      64, 64, 64, 128, 128, 64, 64, 128, 128, 128,
    ]);
  });
});

describe('blockProduct and blockRows', () => {
  it('compute with what is stored, for rows that fill their last block or not', async () => {
    const engine = new NodeEngine();
    const eighths = { bits: 8, size: BLOCKS[8] } as const;
    for (const { bits, size } of [{ bits: 4, size: BLOCKS[4] } as const, eighths, { ...eighths, size: headBlock(120) }])
      for (const inputs of [64, 100, 300]) {
        const [N, outputs] = [3, 5];
        const random = new Random(3);
        const weights = Float32Array.from({ length: inputs * outputs }, () => random.normal());
        const stored = storeBlocks(weights, { inputs, outputs, rows: 'outputs' }, bits, size);
        const kept = values(stored, inputs, outputs, bits, size);
        const x = Float32Array.from({ length: N * inputs }, () => random.normal());
        const bias = Float32Array.from({ length: outputs }, () => random.normal());
        const blocks = Math.ceil(inputs / size);
        const given = {
          codes: input('codes', [outputs, blocks, stored.bytes], 'uint8'),
          scales: input('scales', [outputs, blocks]),
          bits,
          inputs,
        };
        const rows = bits === 8 ? { rows: blockRows(given, input('ids', [2], 'int64')) } : {};
        const y = blockProduct(input('x', [N, inputs]), given, input('bias', [outputs]));
        const session = await engine.compile(encode({ y, ...rows }, 'cpu'));
        const { codes, scales } = stored;
        const ids = bits === 8 ? { ids: BigInt64Array.of(4n, 1n) } : {};
        const results = await session.run({ x, bias, codes, scales, ...ids });
        for (let n = 0; n < N; n++)
          for (let o = 0; o < outputs; o++) {
            let sum = bias[o]!;
            for (let i = 0; i < inputs; i++) sum += x[n * inputs + i]! * kept[o * inputs + i]!;
            // Rows are rounded to 8 bits themselves.
            expect(Math.abs((results.y as Float32Array)[n * outputs + o]! - sum)).toBeLessThan(
              0.02 * Math.sqrt(inputs),
            );
          }
        if (bits === 8) {
          const of = (row: number) => kept.slice(row * inputs, (row + 1) * inputs).map(Math.fround);
          expect(Array.from(results.rows as Float32Array)).toEqual([...of(4), ...of(1)]);
        }
        await session.dispose();
      }
  });

  it('refuse what does not fit', () => {
    const scales = input('scales', [4, 1]);
    const product = (codes: Parameters<typeof input>, inputs = 64) =>
      blockProduct(input('x', [1, 64]), { codes: input(...codes), scales, bits: 8, inputs });
    expect(() => product(['codes', [4, 2, 64], 'uint8'])).toThrow(/^blockProduct: expected uint8 codes/);
    expect(() => product(['codes', [4, 1, 64], 'float32'])).toThrow(/got float32/);
    expect(() => product(['codes', [4, 1, 64], 'uint8'], 60)).toThrow(
      'blockProduct: expected rows [N, 60], got [1, 64]',
    );
    const codes = input('codes', [4, 1, 32], 'uint8');
    expect(() => blockRows({ codes, scales, bits: 4, inputs: 64 }, input('ids', [1], 'int64'))).toThrow('8 bits');
  });
});
