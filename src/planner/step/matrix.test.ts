import { describe, expect, it } from 'vitest';
import { shippedConstants } from '../catalogue/constants.js';
import { findAccelerator } from '../catalogue/index.js';
import { datasheetRate, matrixTime, sustainedRate } from './matrix.js';

const c = { ...shippedConstants.time, waveElements: 0, launch: 0, fourBitShare: 0.5 };
const a100 = findAccelerator('A100-SXM-80GB');

describe('rates', () => {
  it('are the measured ones, or the datasheet’s by the share that a sister format reaches', () => {
    expect(sustainedRate(a100, 'bf16', c)).toBe(271.2e12);
    expect(sustainedRate(a100, 'fp16', c)).toBeCloseTo(271.2e12, -3);
    expect(datasheetRate(a100, 'fp16')).toBe(312e12);
  });

  it('fall back to the usual share where nothing was measured, and to a wider format where a card lacks one', () => {
    const card = { ...a100, measuredRates: {}, rates: { bf16: 100e12 } };
    expect(sustainedRate(card, 'bf16', c)).toBeCloseTo(100e12 * c.sustainedRate, 0);
    expect(sustainedRate(card, 'fp8', c)).toBeCloseTo(100e12 * c.sustainedRate, 0);
    expect(sustainedRate({ ...card, rates: { nvfp4: 8e14 } }, 'nvfp4', c)).toBeCloseTo(8e14 * c.sustainedRate * 0.5, 0);
    expect(() => sustainedRate({ ...card, rates: {} }, 'bf16', c)).toThrow(/no rate of products in bf16/);
    expect(() => datasheetRate({ ...card, rates: {} }, 'bf16')).toThrow(/no rate of products/);
  });
});

describe('matrixTime', () => {
  it('is arithmetic and traffic: 4096³ in 16 bits', () => {
    const seconds = matrixTime(4096, 4096, 4096, 1, 250e12, 1.6e12, 2, c);
    expect(seconds).toBeCloseTo((2 * 4096 ** 3) / 250e12 + (3 * 2 * 4096 ** 2) / 1.6e12, 9);
  });

  it('comes out slow for thin products: a width of 64 waits for memory', () => {
    const rate = (k: number): number => (2 * 8192 * 8192 * k) / matrixTime(8192, 8192, k, 1, 250e12, 1.6e12, 2, c);
    expect(rate(64)).toBeLessThan(0.4 * 250e12);
    expect(rate(8192)).toBeGreaterThan(0.94 * 250e12);
  });

  it('loses part of the last wave where tiles are few, less on a card with fewer multiprocessors', () => {
    const waves = { ...c, waveElements: 1e6 };
    const time = (n: number, rate: number, count = 1): number => matrixTime(1000, n, 1000, count, rate, 1e30, 2, waves);
    expect(time(1000, 2.7e14) / ((2 * 1e9) / 2.7e14)).toBeCloseTo(1.5, 9);
    expect(time(100_000, 2.7e14) / ((2 * 1e11) / 2.7e14)).toBeCloseTo(1.005, 9);
    expect(time(1000, 2.7e13) / ((2 * 1e9) / 2.7e13)).toBeCloseTo(1.05, 9);
    expect(time(1000, 2.7e14, 100)).toBeCloseTo(time(100_000, 2.7e14), 12);
  });
});
