import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { NodeEngine } from '../engine/node/engine.js';
import { WebEngine } from '../engine/web/engine.js';
import { BLOCK, blocksOf, Quantizer } from './quantizer.js';

const quantizer = new Quantizer(new NodeEngine());
afterAll(() => quantizer.dispose());

async function quantized(x: Float32Array, levels: number, residual?: Float32Array, by = quantizer) {
  const into = { codes: new Int8Array(x.length), scales: new Float32Array(blocksOf(x.length)) };
  await by.quantize(x, levels, into, residual);
  const back = new Float32Array(x.length);
  await by.dequantize(into, back);
  return { ...into, back };
}

const noise = (length: number, size = 1) =>
  Float32Array.from({ length }, (_, i) => size * Math.sin(i * 12.9898) * Math.cos(i * 0.7));

describe('Quantizer', () => {
  it('loses at most half a step of each block, whose largest value is the largest code', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.float32Array({ noNaN: true, noDefaultInfinity: true, maxLength: 700, min: -3e3, max: 3e3 }),
        fc.constantFrom(127, 7),
        async (x, levels) => {
          const { codes, scales, back } = await quantized(x, levels);
          const scaleAt = (i: number) => scales[Math.floor(i / BLOCK)]!;
          expect(codes.every((code) => Math.abs(code) <= levels)).toBe(true);
          expect(back).toEqual(Float32Array.from(codes, (code, i) => code * scaleAt(i)));
          expect(back.every((value, i) => Math.abs(value - x[i]!) <= 0.504 * scaleAt(i))).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('gives the codes and scales of the formula, ties to even', async () => {
    const x = new Float32Array(BLOCK + 4);
    x.set([127, 0.5, 1.5, 2.5, -0.5, -1.5, 126.4]);
    x.set([1e-3, -1e-3, 0, 5e-4], BLOCK);
    const { codes, scales } = await quantized(x, 127);
    expect(scales).toEqual(Float32Array.of(1, (132 / 128) * 2 ** -17));
    expect([...codes.subarray(0, 8)]).toEqual([127, 0, 2, 2, 0, -2, 126, 0]);
    expect([...codes.subarray(BLOCK)]).toEqual([127, -127, 0, 64]);
  });

  it('keeps zeros, and takes what is far too small for zero', async () => {
    const { codes, back } = await quantized(Float32Array.of(0, -0, 1e-38, -1e-42), 127);
    expect([...codes]).toEqual([0, 0, 0, 0]);
    expect(back.every((value) => value === 0)).toBe(true);
  });

  it('gives the same bits in WebAssembly, and for a range as for a vector cut at blocks', async () => {
    const x = noise(256 * BLOCK + 3 * BLOCK + 17, 1e-3);
    const whole = await quantized(x, 7);
    const parts = [x.subarray(0, 2 * BLOCK), x.subarray(2 * BLOCK)];
    const cut = await Promise.all(parts.map((part) => quantized(part, 7)));
    expect(
      Buffer.concat(cut.map(({ codes }) => Buffer.from(codes.buffer))).equals(Buffer.from(whole.codes.buffer)),
    ).toBe(true);
    const web = new Quantizer(await WebEngine.create('wasm'));
    const { codes, scales, back } = await quantized(x, 7, undefined, web);
    expect(Buffer.from(codes.buffer).equals(Buffer.from(whole.codes.buffer))).toBe(true);
    expect(scales).toEqual(whole.scales);
    expect(Buffer.from(back.buffer).equals(Buffer.from(whole.back.buffer))).toBe(true);
    await web.dispose();
  });

  it('carries what it lost, so that the sum of what is sent follows the sum of what was meant', async () => {
    const length = 3 * BLOCK + 9;
    const residual = new Float32Array(length);
    const [meant, sent, plain] = [new Float64Array(length), new Float64Array(length), new Float64Array(length)];
    for (let round = 0; round < 20; round++) {
      const x = noise(length).map((value, i) => value * (1 + 0.1 * Math.sin(i + round)));
      const before = residual.slice();
      const { back, scales } = await quantized(x, 7, residual);
      expect(residual).toEqual(x.map((value, i) => Math.fround(value + before[i]!) - back[i]!));
      expect(residual.every((rest, i) => Math.abs(rest) <= 0.504 * scales[Math.floor(i / BLOCK)]!)).toBe(true);
      const alone = await quantized(x, 7);
      for (let i = 0; i < length; i++) {
        meant[i]! += x[i]!;
        sent[i]! += back[i]!;
        plain[i]! += alone.back[i]!;
      }
    }
    const distance = (a: Float64Array) => Math.sqrt(a.reduce((sum, value, i) => sum + (value - meant[i]!) ** 2, 0));
    expect(distance(sent)).toBeLessThan(0.2 * distance(plain));
  });
});
