import type { Accelerator, Arrangement, Cluster, Framework, StepTime, Workload } from '../types.js';
import { devices } from './grids.js';
import type { Fixed, Predict } from './types.js';

/** A model of 12 layers and 12 heads. */
export const workload: Workload = {
  name: 'twelve',
  family: 'gpt2',
  layers: 12,
  hidden: 768,
  heads: 12,
  keyValueHeads: 12,
  headSize: 64,
  feedForward: 3072,
  feedForwardMatrices: 2,
  vocabulary: 50_257,
  context: 1024,
  tiedHead: true,
  biases: true,
  positions: 'learned',
  causal: true,
  parameters: 124e6,
  activeParameters: 124e6,
};

const accelerator: Accelerator = {
  name: 'card',
  year: 2020,
  kind: 'gpu',
  memory: 16e9,
  memoryBandwidth: 1e12,
  rates: { bf16: 100e12 },
  measuredRates: {},
  fp64: 10e12,
  scaleUp: 100e9,
  power: 300,
  price: 1,
  sources: {},
};

/** Four nodes of four cards. */
export const cluster: Cluster = {
  name: 'sixteen',
  accelerator,
  accelerators: 16,
  perNode: 4,
  intraNode: 100e9,
  interNode: 25e9,
  intraLatency: 5e-6,
  interLatency: 1e-5,
  host: { cores: 64, memory: 512e9, memoryBandwidth: 200e9, diskBandwidth: 5e9, disk: 4e12, link: 16e9 },
  hostPower: 500,
  powerUsageEffectiveness: 1.2,
  price: 1,
  nodeMeanTimeBetweenFailures: 1e7,
  storageBandwidth: 10e9,
  sources: {},
};

export const framework: Framework = { name: 'any', efficiency: 1, efficiencySource: 'default' };

export const fixed: Fixed = { globalBatch: 24, sequence: 1024, precision: 'bf16', flashAttention: true };

/** A step of which everything is known: enough structure for each choice to matter. */
export function knownStep(memory: number): Predict {
  return (model, machine, arrangement) => {
    const { data, pipeline, interleave, microBatch, globalBatch, sequence } = arrangement;
    const modelFlop = 6 * model.parameters * globalBatch * sequence;
    const matrices = modelFlop / devices(arrangement) / machine.accelerator.rates.bf16!;
    const parts: Omit<StepTime, 'total'> = {
      matrices: matrices * (1 + 0.5 / microBatch),
      memoryBound: 0,
      recompute: matrices * { none: 0, selective: 0.05, full: 0.3 }[arrangement.recompute],
      tensorCommunication: (arrangement.tensor - 1) * 0.02 * matrices,
      pipelineCommunication: (pipeline - 1) * interleave * 1e-4,
      pipelineBubble: (matrices * (pipeline - 1) * microBatch * data) / (interleave * globalBatch),
      dataCommunication: (data - 1) * [3e-3, 2.5e-3, 3e-3, 5e-3][arrangement.zero]!,
      optimizer: 1e-3 / (arrangement.zero > 0 ? data : 1),
      offload: { none: 0, optimizer: 0.01, 'optimizer+parameters': 0.05 }[arrangement.offload],
    };
    const total = Object.values(parts).reduce((sum, seconds) => sum + seconds, 0);
    const used = bytes(model, arrangement);
    return {
      memory: { ...used, available: memory, host: 0 },
      fits: used.total <= memory,
      time: { ...parts, total },
      tokensPerSecond: (globalBatch * sequence) / total,
      modelFlop,
      hardwareFlop: modelFlop,
      utilization: matrices / total,
      bytesIntra: 0,
      bytesInter: 0,
    };
  };
}

function bytes(model: Workload, arrangement: Arrangement) {
  const { data, zero, offload, tensor, pipeline, microBatch, interleave } = arrangement;
  const own = model.parameters / tensor / pipeline;
  const optimizer = offload === 'none' ? (12 * own) / (zero > 0 ? data : 1) : 0;
  const gradients = (2 * own) / (zero > 1 ? data : 1);
  const parameters = offload === 'optimizer+parameters' ? 0 : (2 * own) / (zero > 2 ? data : 1);
  const kept = { none: 34, selective: 20, full: 2 }[arrangement.recompute];
  const activations = (kept * microBatch * 1024 * 768 * 12 * (1 + (interleave - 1) / 12)) / tensor;
  const total = optimizer + gradients + parameters + activations;
  return { parameters, gradients, optimizer, activations, buffers: 0, logits: 0, total };
}
