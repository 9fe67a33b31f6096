import { describe, expect, it } from 'vitest';
import { habitsOf } from '../catalogue/frameworks.js';
import type { Arrangement, Workload } from '../types.js';
import { arrangement, gpt3, selene } from './step.test-support.js';
import { trafficOf } from './traffic.js';

const habits = habitsOf('default');
const traffic = (change: Partial<Arrangement>, w: Workload = gpt3) =>
  trafficOf(w, selene, { ...arrangement, ...change }, habits, { layers: 12, lastLayers: 12 }, 1e9, 10);

describe('bytes that a device sends', () => {
  it('with tensor parallelism stay in the node: four ring passes a layer and pass', () => {
    const { bytesIntra, bytesInter } = traffic({ data: 1, pipeline: 1, recompute: 'none' });
    expect(bytesIntra).toBeCloseTo(10 * 12 * 2 * 4 * (7 / 8) * 2 * 2048 * 12288, 0);
    expect(bytesInter).toBe(0);
    const decoder = { ...gpt3, crossAttentionLayers: gpt3.layers };
    const both = traffic({ data: 1, pipeline: 1, recompute: 'none' }, decoder).bytesIntra;
    expect(both / bytesIntra).toBeCloseTo(6 / 4, 12);
  });

  it('with data parallelism leave it, on the one link of a ring that does', () => {
    expect(traffic({ tensor: 8, pipeline: 1, data: 16, zero: 1 }).bytesInter).toBeCloseTo((15 / 16) * 1e9 * 6, 0);
    const four = traffic({ tensor: 2, pipeline: 1, data: 16, zero: 0 });
    expect(four.bytesInter).toBeCloseTo(((15 / 16) * 1e9 * 8) / 4, 0);
    const three = traffic({ tensor: 8, pipeline: 1, data: 16, zero: 3 });
    expect(three.bytesInter).toBeCloseTo((15 / 16) * 1e9 * 10 * 8, 0);
    const piped = traffic({ tensor: 8, pipeline: 8, data: 16, zero: 3 }).bytesInter;
    expect(piped - traffic({ tensor: 8, pipeline: 8, data: 16, zero: 1 }).bytesInter).toBeCloseTo(0, 0);
  });

  it('with a pipeline are two hand-overs a micro-batch and chunk', () => {
    const { bytesInter } = traffic({ data: 1, interleave: 2 });
    expect(bytesInter).toBeCloseTo((2 * 10 * 2 * 2 * 2048 * 12288) / 8, 0);
    expect(traffic({ data: 1, tensor: 1, recompute: 'none' }).bytesIntra).toBeCloseTo(2 * 10 * 2 * 2048 * 12288, 0);
  });
});
