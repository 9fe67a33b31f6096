import { describe, expect, it } from 'vitest';
import { gpt3 } from '../step/step.test-support.js';
import { layerParameters, outerParameters, transformer } from './parameters.js';

/** Eq. 2 of arXiv 2104.04473: 12·l·h²·(1 + 13/12h + (V + s)/12lh). */
const megatronCount = (l: number, h: number, V: number, s: number): number =>
  12 * l * h * h * (1 + 13 / (12 * h) + (V + s) / (12 * l * h));

describe('parameters', () => {
  it('are those of eq. 2 of arXiv 2104.04473, beside the last norm that it leaves out', () => {
    expect(gpt3.parameters).toBeCloseTo(megatronCount(96, 12288, 51200, 2048) + 2 * 12288, 0);
  });

  it('are the published 124,439,808 of GPT-2 small', () => {
    const small = transformer({
      ...gpt3,
      layers: 12,
      hidden: 768,
      heads: 12,
      keyValueHeads: 12,
      headSize: 64,
      feedForward: 3072,
      vocabulary: 50257,
      context: 1024,
    });
    expect(small.parameters).toBe(124_439_808);
    expect(small.activeParameters).toBe(small.parameters);
  });

  it('are the published 8,030,261,248 of Llama 3 8B: grouped keys, gated, RMSNorm, a head of its own', () => {
    const llama = transformer({
      ...gpt3,
      family: 'llama',
      layers: 32,
      hidden: 4096,
      heads: 32,
      keyValueHeads: 8,
      feedForward: 14336,
      feedForwardMatrices: 3,
      vocabulary: 128256,
      tiedHead: false,
      biases: false,
      positions: 'rotary',
    });
    expect(llama.parameters).toBe(8_030_261_248);
    expect(outerParameters(llama)).toBe(2 * 128256 * 4096 + 4096);
  });

  it('count the experts that a token passes apart from all', () => {
    const dense = layerParameters(gpt3);
    const sparse = transformer({ ...gpt3, experts: { count: 8, active: 2 } });
    expect(sparse.parameters - sparse.activeParameters).toBe(96 * 6 * dense.feedForward);
    expect(layerParameters(sparse).router).toBe(8 * 12288);
  });
});
