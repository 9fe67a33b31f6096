import { describe, expect, it } from 'vitest';
import { habitsOf } from '../catalogue/frameworks.js';
import type { Arrangement, Cluster } from '../types.js';
import { memoryUse } from './memory.js';
import { cutStages, deviceParameters } from './stages.js';
import { arrangement, gpt3, selene } from './step.test-support.js';

const habits = habitsOf('Megatron-LM');
const use = (change: Partial<Arrangement>, cluster: Cluster = selene, fragmentation = 0) => {
  const own = { ...arrangement, ...change };
  const stages = cutStages(gpt3, own, false);
  const m = own.globalBatch / own.data / own.microBatch;
  const constants = { contextBytes: 1e9, fragmentation };
  return memoryUse(gpt3, cluster, own, habits, stages, deviceParameters(gpt3, own, stages), m, constants);
};

describe('memory of a device', () => {
  it('is that of the first stage: p micro-batches of checkpoints, boundaries and a layer at work', () => {
    const { activations, logits } = use({});
    const checkpoint = 2 * 2048 * 12288;
    const layer = 2048 * 12288 * (10 + 3) + (5 * 96 * 2048 * 2048) / 8;
    expect(activations).toBe(8 * 12 * checkpoint + 8 * checkpoint + layer);
    expect(logits).toBe(0);
  });

  it('is that of the last stage where the logits outweigh the rest', () => {
    const wide = { ...gpt3, vocabulary: 5e6 };
    const stages = cutStages(wide, arrangement, false);
    const constants = { contextBytes: 0, fragmentation: 0 };
    const { logits } = memoryUse(wide, selene, arrangement, habits, stages, 1e9, 96, constants);
    expect(logits).toBe((2048 * 5e6 * 10) / 8);
  });

  it('adds context and fragmentation, the context no more than a twentieth of the device', () => {
    const tight = use({}, selene, 0.1);
    expect(tight.buffers).toBeCloseTo(1e9 + 0.1 * tight.activations, 0);
    const small = { ...selene, accelerator: { ...selene.accelerator, memory: 4e9 } };
    expect(use({}, small).buffers).toBe(4e9 / 20);
  });

  it('has two gathered layers with ZeRO-3', () => {
    const parameters = gpt3.parameters;
    const { buffers } = use({ zero: 3, tensor: 1, pipeline: 1, data: 1024 });
    expect(buffers - 1e9).toBeCloseTo((2 * 2 * parameters) / 96, 0);
  });

  it('counts what offloading puts on all devices of a node', () => {
    const { host, optimizer } = use({ zero: 1, offload: 'optimizer' });
    expect(optimizer).toBe(0);
    expect(host).toBeCloseTo(
      (8 * 12 * deviceParameters(gpt3, arrangement, cutStages(gpt3, arrangement, false))) / 16,
      0,
    );
  });
});
