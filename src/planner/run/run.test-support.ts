import type { Accelerator, Cluster, StepPrediction } from '../types.js';

const accelerator: Accelerator = {
  name: 'card',
  year: 2022,
  kind: 'gpu',
  memory: 80e9,
  memoryBandwidth: 3e12,
  rates: { bf16: 989e12 },
  measuredRates: {},
  fp64: null,
  scaleUp: 450e9,
  power: 700,
  price: 2,
  sources: {},
};

/** Nodes of eight cards; override what a test is about. */
export function clusterOf(over: Partial<Cluster> & { readonly power?: number } = {}): Cluster {
  const { power = 700, ...rest } = over;
  return {
    name: 'test',
    accelerator: { ...accelerator, power },
    accelerators: 8,
    perNode: 8,
    intraNode: 450e9,
    interNode: 400e9,
    intraLatency: 1e-6,
    interLatency: 5e-6,
    host: { cores: 96, memory: 2e12, memoryBandwidth: 4e11, diskBandwidth: null, disk: null, link: 5e10 },
    hostPower: 0,
    powerUsageEffectiveness: 1,
    price: 2,
    nodeMeanTimeBetweenFailures: Number.POSITIVE_INFINITY,
    storageBandwidth: 1e12,
    sources: {},
    ...rest,
  };
}

/** A step of so many seconds in which so many FLOP train so many tokens. */
export function stepOf(seconds: number, tokens: number, flop: number): StepPrediction {
  const memory = { parameters: 0, gradients: 0, optimizer: 0, activations: 0, buffers: 0, logits: 0, total: 0 };
  const time = {
    matrices: seconds,
    memoryBound: 0,
    recompute: 0,
    tensorCommunication: 0,
    pipelineCommunication: 0,
    pipelineBubble: 0,
    dataCommunication: 0,
    optimizer: 0,
    offload: 0,
    total: seconds,
  };
  return {
    memory: { ...memory, available: 80e9, host: 0 },
    fits: true,
    time,
    tokensPerSecond: tokens / seconds,
    modelFlop: flop,
    hardwareFlop: flop,
    utilization: 0.4,
    bytesIntra: 0,
    bytesInter: 0,
  };
}
