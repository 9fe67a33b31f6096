import { describe, expect, it } from 'vitest';
import { shippedConstants } from '../catalogue/constants.js';
import { habitsOf } from '../catalogue/frameworks.js';
import { headTime, paddedVocabulary } from './head.js';
import { sustainedRate } from './matrix.js';
import { arrangement, gpt3, selene } from './step.test-support.js';

describe('the head', () => {
  it('has a vocabulary padded to 128 on each rank, as Megatron pads GPT-2’s', () => {
    expect(paddedVocabulary(50257, 1)).toBe(50304);
    expect(paddedVocabulary(50257, 8)).toBe(51200);
  });

  it('takes three products and the loss’s passes, fewer where they are fused', () => {
    const c = shippedConstants.time;
    const habits = habitsOf('Megatron-LM');
    const wide = { ...arrangement, microBatch: 8 };
    const { matrices, memory } = headTime(gpt3, selene, wide, habits, c);
    const ideal = (6 * 8 * 2048 * 12288 * 51200) / 8 / sustainedRate(selene.accelerator, 'fp16', c);
    expect(matrices / ideal).toBeGreaterThan(1);
    expect(matrices / ideal).toBeLessThan(1.15);
    const bandwidth = selene.accelerator.memoryBandwidth * c.memoryEfficiency;
    expect(memory).toBeCloseTo((8 * 2048 * 6400 * 36) / bandwidth, 9);
    expect(headTime(gpt3, selene, wide, { ...habits, fusedLoss: true }, c).memory).toBeCloseTo(memory / 3.6, 9);
  });
});
