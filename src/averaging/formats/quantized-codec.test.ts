import { afterAll, expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { createEngine } from '../../engine/node/create.js';
import { createQuantizedCodec } from './quantized-codec.js';

const engine = await createEngine('cpu');
const [int8, int4] = [createQuantizedCodec(engine, 'int8'), createQuantizedCodec(engine, 'int4')];
afterAll(() => Promise.all([int8.dispose(), int4.dispose()]));

const noise = (length: number, seed = 1) =>
  Float32Array.from({ length }, (_, i) => 1e-3 * Math.sin((i + seed) * 12.9898) * Math.cos(i * 0.7));

it('writes the scales as bfloat16, then the codes', async () => {
  const x = Float32Array.of(127, -1, 0.5, 1.5, -64);
  expect([...(await int8.encode(x)).subarray(12)]).toEqual([0x80, 0x3f, 127, 255, 0, 2, 192]);
  const seven = Float32Array.of(7, -1, 0.5, 1.5, -4);
  expect([...(await int4.encode(seven)).subarray(12)]).toEqual([0x80, 0x3f, 0xf7, 0x20, 0x0c]);
});

it('keeps what it lost for the next time: int4 alone', async () => {
  expect([int8.feedback, int4.feedback]).toEqual([false, true]);
  const residual = new Float32Array(500);
  const [meant, sent] = [new Float64Array(500), new Float64Array(500)];
  for (let round = 0; round < 10; round++) {
    const x = noise(500, 1 + round / 10);
    const back = await int4.decode(await int4.encode(x, residual), 500);
    for (let i = 0; i < 500; i++) {
      meant[i]! += x[i]!;
      sent[i]! += back[i]!;
    }
  }
  // What is missing is what the residual holds.
  expect(Math.max(...meant.map((value, i) => Math.abs(value - sent[i]! - residual[i]!)))).toBeLessThan(1e-8);
  expect(Math.max(...residual.map(Math.abs))).toBeLessThan(1.1e-4);
  await expect(int8.encode(noise(500), residual)).rejects.toThrow(/int8 takes no residual/);
});

it('leaves the residual alone when it refuses', async () => {
  const residual = noise(300);
  await expect(int4.encode(noise(300).with(3, Number.NaN), residual)).rejects.toThrow(MeanfieldError);
  expect(residual).toEqual(noise(300));
  await expect(int4.encode(noise(300), residual.with(3, Number.NaN))).rejects.toThrow(MeanfieldError);
});

it('refuses scales that no sender writes', async () => {
  for (const codec of [int8, int4]) {
    const bytes = await codec.encode(noise(300));
    // The second block's scale: NaN, infinity, negative, 0, subnormal, too large.
    for (const bits of [0x7fc0, 0x7f80, 0xb800, 0x0000, 0x0001, 0x7f00]) {
      const hostile = bytes.slice();
      new DataView(hostile.buffer).setUint16(14, bits, true);
      await expect(codec.decode(hostile, 300)).rejects.toThrow(/a scale of .* in block 1/);
    }
  }
});
