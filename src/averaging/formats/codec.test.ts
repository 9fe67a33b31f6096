import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { createEngine } from '../../engine/node/create.js';
import { FORMATS } from '../choices.js';
import { createCodec } from './codec.js';

const engine = await createEngine('cpu');
const codecs = FORMATS.map((format) => createCodec(engine, format));
const [fp32, bf16, int8, int4] = codecs as [
  (typeof codecs)[0],
  (typeof codecs)[0],
  (typeof codecs)[0],
  (typeof codecs)[0],
];
afterAll(async () => {
  for (const codec of codecs) await codec.dispose();
});

const noise = (length: number, seed = 1) =>
  Float32Array.from({ length }, (_, i) => 1e-3 * Math.sin((i + seed) * 12.9898) * Math.cos(i * 0.7));

async function there(codec: (typeof codecs)[0], x: Float32Array) {
  const bytes = await codec.encode(x);
  return { bytes, back: await codec.decode(bytes, x.length) };
}

const error = (x: Float32Array, y: Float32Array) =>
  Math.sqrt(x.reduce((sum, v, i) => sum + (v - y[i]!) ** 2, 0) / x.reduce((sum, v) => sum + v * v, 0));

describe.each(codecs)('$format', (codec) => {
  it('brings back vectors of any length, in as many bytes as it says, the same again', async () => {
    const limits = { fp32: 0, bf16: 0.002, int8: 0.006, int4: 0.09 }[codec.format];
    for (const length of [1, 2, 255, 256, 257, 1000, 70_001]) {
      const x = noise(length);
      const { bytes, back } = await there(codec, x);
      expect(bytes.length).toBe(codec.encodedBytes(length));
      expect(error(x, back)).toBeLessThanOrEqual(limits);
      expect(Buffer.from(bytes).equals(Buffer.from((await there(codec, x)).bytes))).toBe(true);
    }
    expect((await there(codec, new Float32Array(0))).bytes.length).toBe(12);
  });

  it('gives what it gave what was decoded once more, but for the scales', async () => {
    const { back } = await there(codec, noise(600));
    expect(error(back, (await there(codec, back)).back)).toBeLessThan(codec.format === 'int4' ? 0.02 : 0.002);
  });

  it('reads within larger arrays, at odd places too', async () => {
    const x = noise(300).subarray(7, 290);
    const { bytes, back } = await there(codec, x);
    for (const shift of [1, 2, 3]) {
      const around = new Uint8Array(bytes.length + 8);
      around.set(bytes, shift);
      expect(await codec.decode(around.subarray(shift, shift + bytes.length), x.length)).toEqual(back);
    }
  });

  it('refuses to send NaN and infinity', async () => {
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      await expect(codec.encode(noise(300).with(270, wrong))).rejects.toThrow(/cannot be sent: it has NaN or/);
    }
  });

  it('takes any bytes for an error or for finite values', async () => {
    const bytes = await codec.encode(noise(300));
    const damage = fc.array(fc.tuple(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(damage, fc.nat({ max: bytes.length }), fc.boolean(), async (changes, length, cut) => {
        const hostile = bytes.slice(0, cut ? length : bytes.length);
        for (const [at, to] of changes) if (at < hostile.length) hostile[at] = to;
        let values: Float32Array;
        try {
          values = await codec.decode(hostile, 300);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(MeanfieldError);
          return;
        }
        expect(values.every(Number.isFinite)).toBe(true);
      }),
      { numRuns: 150 },
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (any) => {
        await expect(codec.decode(any, 300)).rejects.toThrow(MeanfieldError);
      }),
    );
  });
});

it('sends the largest values there are exactly, and refuses where rounding could overflow', async () => {
  const largest = Float32Array.of(3.4028234663852886e38, -3.4028234663852886e38);
  expect((await there(fp32, largest)).back).toEqual(largest);
  for (const codec of [bf16, int8, int4]) {
    await expect(codec.encode(largest)).rejects.toThrow(/or a value of 1.329.*e\+36 or more/);
    const { back } = await there(codec, Float32Array.of(2 ** 119, 0));
    expect(back[0]! / 2 ** 119).toBeCloseTo(1, 1);
  }
});

it('can do several at once', async () => {
  const inputs = Array.from({ length: 6 }, (_, k) => noise(600, k));
  for (const codec of codecs) {
    const together = await Promise.all(inputs.map((x) => there(codec, x)));
    for (const [k, x] of inputs.entries()) expect((await there(codec, x)).back).toEqual(together[k]!.back);
  }
});
