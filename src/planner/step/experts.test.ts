import { describe, expect, it } from 'vitest';
import { attentionFlop, layerFlop, modelFlopPerToken } from '../catalogue/flop.js';
import { findFramework } from '../catalogue/frameworks.js';
import { findCluster, findModel } from '../catalogue/index.js';
import type { Arrangement } from '../types.js';
import { cutStages, deviceParameters } from './stages.js';
import { predictStep } from './step.js';

const deepseek = findModel('deepseek-v3');
const arrangement: Arrangement = {
  ...{ data: 128, tensor: 1, sequenceParallel: false, pipeline: 16, interleave: 1, context: 1, expert: 64, zero: 1 },
  ...{ offload: 'none', offloadTo: 'host', recompute: 'selective', precision: 'fp8', microBatch: 1 },
  ...{ globalBatch: 15360, sequence: 4096, flashAttention: true },
};

describe('DeepSeek-V3', () => {
  it('has the FLOP of its latent attention and of the experts that a token passes', () => {
    const [h, a] = [7168, 128];
    const attention = h * 1536 + 1536 * a * 192 + h * (512 + 64) + 512 * a * 256 + a * 128 * h;
    const experts = (58 * (9 * 3 * h * 2048 + h * 256) + 3 * 3 * h * 18432) / 61;
    expect(layerFlop(deepseek)).toBeCloseTo(2 * (attention + experts), -2);
    expect(attentionFlop(deepseek, 4096)).toBe(2 * 4096 * a * (192 + 128));
    // 37B active (arXiv 2412.19437): six times that and attention.
    expect(deepseek.activeParameters / 37e9).toBeCloseTo(1, 1);
    expect(modelFlopPerToken(deepseek, 1) / (6 * deepseek.activeParameters)).toBeCloseTo(0.97, 1);
  });

  it('spreads its experts alone over the devices that share them', () => {
    const held = (expert: number): number =>
      deviceParameters(
        deepseek,
        { ...arrangement, pipeline: 1, expert },
        cutStages(deepseek, { ...arrangement, pipeline: 1 }, false),
      );
    expect(held(1)).toBeCloseTo(deepseek.parameters, -6);
    const experts = 58 * 256 * 3 * 7168 * 2048;
    expect(held(1) - held(64)).toBeCloseTo((experts * 63) / 64, -3);
  });

  it('sends a token over the network once to each of 4 nodes, not to 8 experts one by one', () => {
    const cluster = findCluster('2048xh800');
    const framework = findFramework('Megatron-Core', cluster.accelerator.name);
    const limited = deepseek.experts!;
    const { groups, ...free } = limited;
    expect(groups).toEqual({ count: 8, active: 4 });
    const exchange = (experts: NonNullable<typeof deepseek.experts>, expert: number): number =>
      predictStep({ ...deepseek, experts }, cluster, { ...arrangement, expert }, framework).time.tensorCommunication;
    const ratio = exchange(limited, 64) / exchange(free, 64);
    expect(ratio).toBeGreaterThan(0.5);
    expect(ratio).toBeLessThan(0.6);
    // Over two nodes it goes to two at most, within one to none.
    expect(exchange(limited, 16)).toBeLessThan(exchange(free, 16) / 2);
    expect(exchange(limited, 8)).toBe(exchange(free, 8));
  });

  it('takes about the GPU hours that were printed: 2,664 thousand of 2,048 H800 (arXiv 2412.19437, table 1)', () => {
    const cluster = findCluster('2048xh800');
    // Its stack runs all-to-all beside the products (DualPipe), and what it sends to experts in 8 bits; here in 16.
    const framework = findFramework('Megatron-Core', cluster.accelerator.name);
    const { tokensPerSecond } = predictStep(deepseek, cluster, arrangement, framework);
    const hours = ((14.8e12 / tokensPerSecond) * 2048) / 3600;
    expect(hours / 2664e3).toBeGreaterThan(0.8);
    expect(hours / 2664e3).toBeLessThan(1.25);
  });
});
