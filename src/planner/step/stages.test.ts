import { describe, expect, it } from 'vitest';
import { transformer } from '../catalogue/parameters.js';
import { cutStages, deviceParameters } from './stages.js';
import { arrangement, gpt3 } from './step.test-support.js';

const cut = (layers: number, pipeline: number, interleave: number, headAsLayer = false) =>
  cutStages({ ...gpt3, layers }, { ...arrangement, pipeline, interleave }, headAsLayer);

describe('stages', () => {
  it('hold equal shares, or the fuller ones first', () => {
    expect(cut(96, 8, 1)).toEqual({ layers: 12, lastLayers: 12 });
    expect(cut(80, 12, 1)).toEqual({ layers: 7, lastLayers: 3 });
    expect(cut(96, 8, 4)).toEqual({ layers: 12, lastLayers: 12 });
    expect(cut(7, 1, 1)).toEqual({ layers: 7, lastLayers: 7 });
    expect(cut(3, 8, 1)).toEqual({ layers: 1, lastLayers: 0 });
  });

  it('count embedding and head as layers where a framework does: 70 layers in 12 stages, 126 in 64', () => {
    expect(cut(70, 12, 1, true)).toEqual({ layers: 6, lastLayers: 5 });
    expect(cut(126, 16, 4, true)).toEqual({ layers: 8, lastLayers: 7 });
    expect(cut(72, 12, 1, true)).toEqual({ layers: 6, lastLayers: 6 });
  });

  it('of one device hold the whole model, of t and p devices their share of layers and the table', () => {
    const alone = { ...arrangement, tensor: 1, pipeline: 1 };
    expect(deviceParameters(gpt3, alone, cutStages(gpt3, alone, false))).toBe(gpt3.parameters);
    const held = deviceParameters(gpt3, arrangement, cutStages(gpt3, arrangement, false));
    expect(held).toBeCloseTo((12 * 12 * 12288 ** 2 + (51200 + 2048) * 12288) / 8, -7);
  });

  it('hold their share of experts', () => {
    const sparse = transformer({ ...gpt3, experts: { count: 8, active: 2 } });
    const at = (expert: number): number => {
      const spread = { ...arrangement, expert };
      return deviceParameters(sparse, spread, cutStages(sparse, spread, false));
    };
    const feedForward = 8 * 12288 ** 2 + 5 * 12288;
    expect(at(1) - at(4)).toBeCloseTo((12 * 6 * feedForward) / 8, 0);
  });
});
