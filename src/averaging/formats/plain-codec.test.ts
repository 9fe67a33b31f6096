import { expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { createPlainCodec } from './plain-codec.js';

const [fp32, bf16] = [createPlainCodec('fp32'), createPlainCodec('bf16')];

it('writes numbers as they lie in memory, little-endian', async () => {
  const x = Float32Array.of(1, -2.5);
  expect([...(await fp32.encode(x))].slice(12)).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0]);
  expect([...(await bf16.encode(x))].slice(12)).toEqual([0x80, 0x3f, 0x20, 0xc0]);
});

it('keeps every bit of what is finite in fp32: signed zeros and subnormals too', async () => {
  const x = Float32Array.of(-0, 1e-45, -1.1754942e-38, 3.4028234663852886e38, 0.1);
  const back = (await fp32.decode(await fp32.encode(x), 5)).slice();
  expect(Buffer.from(back.buffer).equals(Buffer.from(x.buffer))).toBe(true);
});

it('refuses NaN and infinity that come from outside', async () => {
  for (const codec of [fp32, bf16]) {
    const bytes = await codec.encode(Float32Array.of(1, 2, 3));
    for (const upper of [0x7f, 0xff]) {
      const hostile = bytes.slice();
      hostile.set([0xc0, upper], hostile.length - 2);
      await expect(codec.decode(hostile, 3)).rejects.toThrow(/it has NaN or infinity/);
      hostile.set([0x80, upper], hostile.length - 2);
      await expect(codec.decode(hostile, 3)).rejects.toThrow(MeanfieldError);
    }
  }
});

it('takes no residual', async () => {
  const x = Float32Array.of(1);
  for (const codec of [fp32, bf16]) {
    expect(codec.feedback).toBe(false);
    await expect(codec.encode(x, x)).rejects.toThrow(/takes no residual/);
  }
});
