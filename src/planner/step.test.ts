import { describe, expect, it } from 'vitest';
import { findFramework } from './calibration/frameworks.js';
import { predictStep } from './step.js';
import type { Arrangement, Cluster } from './types.js';
import { transformer } from './workload/parameters.js';

const gpt3 = transformer({
  name: 'GPT-3',
  family: 'gpt2',
  layers: 96,
  hidden: 12288,
  heads: 96,
  keyValueHeads: 96,
  headSize: 128,
  feedForward: 49152,
  feedForwardMatrices: 2,
  vocabulary: 51200,
  context: 2048,
  tiedHead: true,
  biases: true,
  positions: 'learned',
  causal: true,
});

const selene: Cluster = {
  name: 'A100 pod',
  accelerator: {
    name: 'A100-SXM-80GB',
    year: 2020,
    kind: 'gpu',
    memory: 80e9,
    memoryBandwidth: 2039e9,
    rates: { fp16: 312e12, bf16: 312e12 },
    measuredRates: { bf16: 271e12 },
    fp64: null,
    scaleUp: 300e9,
    power: 400,
    price: null,
    sources: {},
  },
  accelerators: 1024,
  perNode: 8,
  intraNode: 300e9,
  interNode: 200e9,
  intraLatency: 5e-6,
  interLatency: 15e-6,
  host: { cores: 128, memory: 2e12, memoryBandwidth: 300e9, diskBandwidth: 20e9, disk: 20e12, link: 25e9 },
  hostPower: 2000,
  powerUsageEffectiveness: 1.2,
  price: null,
  nodeMeanTimeBetweenFailures: 1e7,
  storageBandwidth: 1e11,
  sources: {},
};

const arrangement: Arrangement = {
  data: 16,
  tensor: 8,
  sequenceParallel: false,
  pipeline: 8,
  interleave: 1,
  context: 1,
  expert: 1,
  zero: 1,
  offload: 'none',
  offloadTo: 'host',
  recompute: 'full',
  precision: 'fp16',
  microBatch: 1,
  globalBatch: 1536,
  sequence: 2048,
  flashAttention: false,
};
const framework = findFramework('Megatron-LM', 'A100-SXM-80GB');
const predict = (change: Partial<Arrangement> = {}) =>
  predictStep(gpt3, selene, { ...arrangement, ...change }, framework);

describe('predictStep', () => {
  it('lands near the 44 to 52 % of peak that arXiv 2104.04473 measured on such machines, recomputation counted', () => {
    const { hardwareFlop, time } = predict();
    const share = hardwareFlop / time.total / (1024 * 312e12);
    expect(share).toBeGreaterThan(0.36);
    expect(share).toBeLessThan(0.56);
  });

  it('has parts that add up', () => {
    const { time, memory, tokensPerSecond } = predict();
    const { total, ...parts } = time;
    expect(Object.values(parts).reduce((a, b) => a + b)).toBeCloseTo(total, 9);
    const { total: bytes, available, host, ...held } = memory;
    expect(Object.values(held).reduce((a, b) => a + b)).toBeCloseTo(bytes, 0);
    expect([available, host]).toEqual([80e9, 0]);
    expect(tokensPerSecond).toBeCloseTo((1536 * 2048) / total, 6);
  });

  it('answers every change the way the machine does', () => {
    const base = predict();
    expect(predict({ recompute: 'none' }).time.recompute).toBe(0);
    expect(predict({ recompute: 'none' }).memory.total).toBeGreaterThan(base.memory.total);
    expect(predict({ interleave: 4 }).time.pipelineBubble).toBeCloseTo(base.time.pipelineBubble / 4, 6);
    expect(predict({ zero: 0 }).memory.optimizer).toBeCloseTo(16 * base.memory.optimizer, 0);
    expect(predict({ tensor: 16, pipeline: 4 }).time.tensorCommunication).toBeGreaterThan(
      3 * base.time.tensorCommunication,
    );
    expect(predict({ pipeline: 1, data: 128 }).fits).toBe(false);
    expect(base.fits).toBe(true);
  });
});
