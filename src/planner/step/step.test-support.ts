import { transformer } from '../catalogue/parameters.js';
import type { Arrangement, Cluster } from '../types.js';

/** GPT-3 as arXiv 2104.04473 trained it: 51,200 words. */
export const gpt3 = transformer({
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

/** A pod of DGX A100, eight 200 Gb/s cards a node. */
export const selene: Cluster = {
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

/** 1,024 of its GPUs. */
export const arrangement: Arrangement = {
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
