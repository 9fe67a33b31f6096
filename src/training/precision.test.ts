import { describe, expect, it } from 'vitest';
import type { Engine } from '../engine/engine.js';
import { choosePrecision } from './precision.js';

const engineOf = (target: Engine['target']): Engine => ({
  ...{ name: `engine of ${target}`, target, views: true },
  compile: () => Promise.reject(new Error('nothing is compiled here')),
});

describe('choosePrecision', () => {
  it.each([
    ['the gain is there', 'cpu', { exact: true, gain: 1.9 }, undefined, 'int8', undefined],
    ['there is no gain', 'cpu', { exact: true, gain: 0.97 }, undefined, 'fp32', 'gain nothing here (0.97 ×)'],
    ['sums are wrong', 'cpu', { exact: false, gain: 0 }, undefined, 'fp32', 'no VNNI'],
    ['the device has none', 'webgpu', { exact: false, gain: 0 }, undefined, 'fp32', 'engine of webgpu has no products'],
    [
      'a run that has them goes on where they gain nothing',
      'cpu',
      { exact: true, gain: 0.9 },
      'int8',
      'int8',
      undefined,
    ],
    ['a run that has them goes on where they are wrong', 'cpu', { exact: false, gain: 0 }, 'int8', 'fp32', 'no VNNI'],
  ] as const)('where %s', async (_case, target, probed, known, precision, notice) => {
    const chosen = await choosePrecision('int8', engineOf(target), { known }, async () => probed);
    expect(chosen.precision).toBe(precision);
    if (notice === undefined) expect(chosen.notice).toBeUndefined();
    else expect(chosen.notice).toContain(notice);
  });

  it.each([
    ['fp32', undefined],
    ['int8', 'fp32'],
  ] as const)('tries nothing where %s is wanted and %s is known', async (wanted, known) => {
    const probe = () => Promise.reject(new Error('not to be tried'));
    expect(await choosePrecision(wanted, engineOf('cpu'), { known }, probe)).toEqual({ precision: 'fp32' });
  });

  it.each([
    ['the gain is there', 'fp16', { right: true, gain: 2.5 }, undefined, 'fp16', undefined],
    ['there is no gain', 'bf16', { right: true, gain: 1 }, undefined, 'fp32', 'in bf16 gain nothing here (1.00 ×)'],
    ['a run that has it goes on', 'fp16', { right: true, gain: 0.9 }, 'fp16', 'fp16', undefined],
    [
      'there is none',
      'fp16',
      { right: false, gain: 0, reason: 'no f16' },
      'fp16',
      'fp32',
      'no products in fp16 (no f16)',
    ],
  ] as const)('of 16 bits: where %s', async (_case, wanted, probed, known, precision, notice) => {
    const none = () => Promise.reject(new Error('no products of 8 bits are wanted'));
    const chosen = await choosePrecision(wanted, engineOf('webgpu'), { known }, none, async () => probed);
    expect(chosen.precision).toBe(precision);
    if (notice === undefined) expect(chosen.notice).toBeUndefined();
    else expect(chosen.notice).toContain(notice);
  });
});
