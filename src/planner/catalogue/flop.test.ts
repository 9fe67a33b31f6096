import { describe, expect, it } from 'vitest';
import { gpt3 } from '../step/step.test-support.js';
import { attentionFlop, attentionsOf, headFlop, layerFlop, megatronFlop, modelFlopPerToken } from './flop.js';

describe('FLOP', () => {
  it('of a GPT layer are 24·h² for the matrices and 4·T·h for attention', () => {
    expect(layerFlop(gpt3)).toBe(24 * 12288 ** 2);
    expect(attentionFlop(gpt3, 2048)).toBe(4 * 2048 * 12288);
    expect(headFlop(gpt3)).toBe(2 * 12288 * 51200);
  });

  it('with recomputation come to eq. 3 of arXiv 2104.04473', () => {
    const batch = 1536;
    const again = gpt3.layers * (layerFlop(gpt3) + attentionFlop(gpt3, 2048));
    const whole = batch * 2048 * (modelFlopPerToken(gpt3, 2048) + again);
    expect(megatronFlop(gpt3, batch, 2048) / whole).toBeCloseTo(1, 12);
  });

  it('give the step time that arXiv 2104.04473 prints 155 TFLOP/s for (310B, 1,920 GPUs, batch 2,160)', () => {
    const model = { ...gpt3, layers: 96, hidden: 16384 };
    expect(megatronFlop(model, 2160, 2048) / 1920 / 155e12).toBeCloseTo(37.61, 1);
  });

  it('count active experts and attention to an encoder', () => {
    const one = layerFlop(gpt3);
    const two = layerFlop({ ...gpt3, experts: { count: 8, active: 2 } });
    expect(two - one).toBe(16 * 12288 ** 2 + 2 * 12288 * 8);
    const decoder = { ...gpt3, crossAttentionLayers: 96 };
    expect(layerFlop(decoder) - one).toBe(8 * 12288 ** 2);
    expect(attentionFlop(decoder, 2048)).toBe(2 * attentionFlop(gpt3, 2048));
    expect(attentionsOf({ ...gpt3, crossAttentionLayers: 72 })).toBe(1.75);
  });
});
