import { type Constants, shippedConstants } from './calibration/constants.js';
import { habitsOf } from './calibration/frameworks.js';
import { memoryUse } from './memory/memory.js';
import { datasheetRate } from './time/matrix.js';
import { microBatches, stepTime } from './time/time.js';
import { trafficOf } from './time/traffic.js';
import type { Arrangement, Cluster, Framework, StepPrediction, Workload } from './types.js';
import { attentionFlop, layerFlop, modelFlopPerToken } from './workload/flop.js';
import { cutStages, deviceParameters } from './workload/stages.js';

/** Gradients in 16 bits: the new one and the sum are read, the sum is written. */
const halfGradients = { gradientBytes: 2, reduceBytes: 2, accumulationBytes: 6 };

/**
 * Time and memory of one training step. Pure, and cheap enough to search with: closed forms throughout.
 *
 * The arrangement is taken as possible; that its degrees divide what they split is for the caller to see to.
 */
export function predictStep(
  workload: Workload,
  cluster: Cluster,
  arrangement: Arrangement,
  framework: Framework,
  constants: Constants = shippedConstants,
): StepPrediction {
  const usual = framework.habits ?? habitsOf(framework.name);
  const habits = usual.halfGradients && arrangement.precision === 'fp16' ? { ...usual, ...halfGradients } : usual;
  const stages = cutStages(workload, arrangement, habits.headAsLayer);
  const parameters = deviceParameters(workload, arrangement, stages);
  const m = microBatches(arrangement);
  const time = stepTime(
    workload,
    cluster,
    arrangement,
    habits,
    framework.efficiency,
    stages,
    parameters,
    constants.time,
  );
  const memory = memoryUse(workload, cluster, arrangement, habits, stages, parameters, m, constants.memory);
  const { sequence, globalBatch } = arrangement;
  const tokens = globalBatch * sequence;
  const modelFlop = tokens * modelFlopPerToken(workload, sequence);
  const attention = attentionFlop(workload, sequence);
  const again =
    arrangement.recompute === 'full'
      ? workload.layers * (layerFlop(workload) + attention)
      : arrangement.recompute === 'selective'
        ? workload.layers * attention
        : 0;
  const devices = arrangement.data * arrangement.tensor * arrangement.context * arrangement.pipeline;
  const rate = datasheetRate(cluster.accelerator, arrangement.precision) * devices;
  return {
    memory,
    fits: memory.total <= memory.available && memory.host <= cluster.host.memory,
    time,
    tokensPerSecond: tokens / time.total,
    modelFlop,
    hardwareFlop: modelFlop + tokens * again,
    utilization: modelFlop / (time.total * rate),
    ...trafficOf(workload, cluster, arrangement, habits, stages, parameters, m),
  };
}
