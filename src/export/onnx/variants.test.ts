import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import { encodeSymbolic, gather, gemm, input } from '../../graph/index.js';
import { type OnnxFile, singleWeight, withWeights } from './onnx-file.js';
import { onnxParts } from './onnx-parts.js';
import { variantOf } from './variants.js';

const [K, N] = [40, 24];

/** Rows of x [M, K] times a weight, and rows of the weight by number. */
function product(transposed: boolean) {
  const random = new Random(5);
  const values = Float32Array.from({ length: K * N }, () => random.normal());
  const bias = Float32Array.from({ length: N }, () => random.normal());
  const shape = transposed ? [N, K] : [K, N];
  const model = encodeSymbolic([{ name: 'rows', at: ['x', 0] }], ({ rows }) => {
    const weight = input('weight', shape);
    const y = gemm(input('x', [rows, K]), weight, input('bias', [N]), { transB: transposed, alpha: 0.5, beta: 2 });
    return { y, read: gather(weight, input('ids', [2], 'int64')) };
  });
  const weights = new Map([
    ['weight', singleWeight(shape, values)],
    ['bias', singleWeight([N], bias)],
  ]);
  return { file: withWeights(model, weights), values, bias };
}

const open = (file: OnnxFile) =>
  InferenceSession.create(Buffer.concat([...onnxParts('model.onnx', file, 2 ** 30)[0]!.content()]), {
    intraOpNumThreads: 1,
  });

/** Largest error of a number with the scale that it was rounded by, in scales, of each kind of file. */
const errors = {
  fp16: { allowed: 2 ** -9, scale: (column: number[]) => Math.max(...column.map(Math.abs)) },
  q8: { allowed: 0.5, scale: (column: number[]) => Math.max(...column.map(Math.abs)) / 63 },
  // Of 16 codes there is one less on the side across from the largest: up to a whole step is cut off there.
  q4: { allowed: 1, scale: (column: number[]) => Math.max(...column.map(Math.abs)) / 8 },
  q4f16: { allowed: 1, scale: (column: number[]) => Math.max(...column.map(Math.abs)) / 8 },
} as const;

describe.each(Object.entries(errors))('%s', (dtype, { allowed, scale }) => {
  it.each([true, false])('rounds a weight as ONNX Runtime reads it, transposed: %s', async (transposed) => {
    const { file, values, bias } = product(transposed);
    for (const pass of variantOf(dtype as keyof typeof errors).passes) pass(file);
    const session = await open(file);
    // The identity's rows are exact in all of these: the product with it is the weight as it is read.
    const x = Float32Array.from({ length: K * K }, (_, i) => (Math.floor(i / K) === i % K ? 1 : 0));
    const ids = new Tensor('int64', BigInt64Array.of(3n, 0n), [2]);
    const { y, read } = await session.run({ x: new Tensor('float32', x, [K, K]), ids });
    const at = (k: number, n: number) => values[transposed ? n * K + k : k * N + n]!;
    for (let n = 0; n < N; n++) {
      const unit = scale(Array.from({ length: K }, (_, k) => at(k, n)));
      for (let k = 0; k < K; k++) {
        const actual = ((y!.data as Float32Array)[k * N + n]! - 2 * bias[n]!) / 0.5;
        expect(Math.abs(actual - at(k, n))).toBeLessThanOrEqual(allowed * unit + 0.01);
      }
    }
    const width = transposed ? K : N;
    const rows = [3, 0].flatMap((row) => [...values.subarray(row * width, (row + 1) * width)]);
    const largest = Math.max(...rows.map(Math.abs));
    const off = rows.map((value, i) => Math.abs(value - (read!.data as Float32Array)[i]!));
    expect(Math.max(...off)).toBeLessThan(dtype === 'q8' ? largest / 126 + 1e-6 : 0.003);
    await session.release();
  });
});

describe('onnxParts', () => {
  it('puts weights beside a graph that would be too large, in files at pages', () => {
    const { file } = product(true);
    const wide = singleWeight([64, 40], new Float32Array(64 * 40));
    file.weights.set('weight', wide);
    const [whole] = onnxParts('model.onnx', file, 1e6);
    expect([...whole!.content()].reduce((sum, { length }) => sum + length, 0)).toBe(whole!.bytes);
    file.weights.set('another', wide);
    const parts = onnxParts('model.onnx', file, 12_000);
    expect(parts.map(({ name }) => name)).toEqual(['model.onnx', 'model.onnx_data', 'model.onnx_data_1']);
    expect(parts.slice(1).map(({ bytes }) => bytes)).toEqual([10_240, 10_240]);
    for (const { bytes, content } of parts) {
      expect([...content()].reduce((sum, { length }) => sum + length, 0)).toBe(bytes);
    }
  });
});
