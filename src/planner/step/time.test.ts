import { describe, expect, it } from 'vitest';
import { shippedConstants } from '../catalogue/constants.js';
import { findFramework, habitsOf } from '../catalogue/frameworks.js';
import type { Arrangement, FrameworkHabits } from '../types.js';
import { predictStep } from './step.js';
import { arrangement, gpt3, selene } from './step.test-support.js';
import { microBatches } from './time.js';

const step = (change: Partial<Arrangement>, habits: Partial<FrameworkHabits> = {}, w = gpt3) => {
  const framework = { ...findFramework('Megatron-LM', 'A100-SXM-80GB'), efficiency: 1 };
  const own = { ...framework, habits: { ...habitsOf('Megatron-LM'), ...habits } };
  return predictStep(w, selene, { ...arrangement, ...change }, own, {
    ...shippedConstants,
    time: { ...shippedConstants.time, stepOverhead: 0 },
  }).time;
};

describe('a step', () => {
  it('has as many micro-batches as a rank’s share of the batch needs', () => {
    expect(microBatches(arrangement)).toBe(96);
    expect(microBatches({ ...arrangement, microBatch: 5 })).toBe(20);
    expect(microBatches({ ...arrangement, globalBatch: 1 })).toBe(1);
  });

  it('has a bubble of (p − 1)/m of the work, v times less with interleaving (arXiv 2104.04473, §2.2)', () => {
    const { matrices, memoryBound, recompute, tensorCommunication, pipelineBubble } = step({ globalBatch: 16 * 96 });
    const work = matrices + memoryBound + recompute + tensorCommunication;
    // The bubble has mean slots, the work the fullest stage's, which has the head besides: a little more.
    expect(pipelineBubble / (work * (7 / 96))).toBeGreaterThan(0.93);
    expect(pipelineBubble / (work * (7 / 96))).toBeLessThan(1);
    expect(step({ interleave: 4 }).pipelineBubble).toBeCloseTo(step({}).pipelineBubble / 4, 9);
    expect(step({ pipeline: 1 }).pipelineBubble).toBe(0);
  });

  it('recomputes one forward pass in full, only attention’s core selectively', () => {
    const full = step({ recompute: 'full' });
    const selective = step({ recompute: 'selective' });
    expect(full.recompute / full.matrices).toBeGreaterThan(0.28);
    expect(full.recompute / full.matrices).toBeLessThan(0.5);
    expect(selective.recompute).toBeLessThan(0.3 * full.recompute);
    expect(step({ recompute: 'selective', flashAttention: true }).recompute).toBe(0);
    expect(full.tensorCommunication).toBeCloseTo(1.5 * selective.tensorCommunication, 9);
  });

  it('shows all of the gradients’ exchange, or what overlapping leaves', () => {
    const shown = step({}).dataCommunication;
    const hidden = step({}, { dataOverlap: true }).dataCommunication;
    expect(hidden).toBeLessThan(shown);
    expect(hidden).toBeGreaterThan(0);
    expect(step({ data: 1, tensor: 8, pipeline: 1 }).dataCommunication).toBe(0);
  });

  it('exchanges parameters in every micro-batch with ZeRO-3', () => {
    const alone = { tensor: 1, pipeline: 1, data: 1024, globalBatch: 8192 } as const;
    expect(step({ ...alone, zero: 3 }).dataCommunication).toBeGreaterThan(
      10 * step({ ...alone, zero: 1 }).dataCommunication,
    );
  });

  it('waits for the host where layers are tiny', () => {
    const tiny = { ...gpt3, hidden: 64, heads: 1, keyValueHeads: 1, headSize: 64, feedForward: 256 };
    const { matrices, memoryBound, recompute, tensorCommunication } = step({ sequence: 128 }, {}, tiny);
    const perLayer = (matrices + memoryBound + recompute + tensorCommunication) / 96 / 12;
    expect(perLayer).toBeGreaterThanOrEqual(3 * 2 * shippedConstants.time.hostPass);
  });

  it('steps the optimiser on the host where it lives there, at the speed of its memory or its disks', () => {
    const here = step({});
    const host = step({ offload: 'optimizer' });
    const disk = step({ offload: 'optimizer', offloadTo: 'disk' });
    expect([here.offload, host.optimizer]).toEqual([0, 0]);
    expect(host.offload).toBeGreaterThan(here.optimizer);
    expect(disk.offload).toBeGreaterThan(5 * host.offload);
    const streaming = {
      offload: 'optimizer+parameters',
      zero: 3,
      tensor: 1,
      pipeline: 1,
      data: 1024,
      globalBatch: 1024,
    };
    expect(step({ ...streaming } as Partial<Arrangement>).offload).toBeGreaterThan(0);
  });

  it('adds a tied table’s gradients over the first and the last stage', () => {
    const tied = step({ data: 1, zero: 0 }).dataCommunication;
    expect(tied).toBeGreaterThan(0);
    expect(step({ data: 1, zero: 0 }, {}, { ...gpt3, tiedHead: false }).dataCommunication).toBe(0);
  });
});
