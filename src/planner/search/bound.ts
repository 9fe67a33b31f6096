import type { StepModel } from '../step/step.js';
import type { Cluster, Framework, Workload } from '../types.js';
import type { PipelineSchedule } from './choices.js';
import { devices, type Grid } from './grids.js';
import { type Fixed, modelOf, type Predict } from './types.js';

/** Seconds that no arrangement of a grid and a schedule can beat. */
export type Bound = (grid: Grid, schedule: PipelineSchedule) => number;

/**
 * Builds the bound from one prediction for each way to split a layer: the whole model on one micro-batch, on as many
 * devices as share a layer. The slowest of p stages takes at least 1/p of it, m times, and (p − 1)/v of the mean stage
 * go by in the bubble (arXiv 2104.04473, section 2.2). Experts change the shape of products with the number of ranks,
 * so with them only the FLOP at the datasheet's rate is certain.
 */
export function stepBound(
  workload: Workload,
  cluster: Cluster,
  framework: Framework,
  fixed: Fixed,
  predict: Predict,
  model: StepModel = modelOf(predict, workload, cluster, framework),
): Bound {
  const known = new Map<number, number>();
  const oneMicroBatch = (tensor: number, context: number, microBatch: number): number => {
    const key = (tensor * 1e4 + context) * 1e4 + microBatch;
    let seconds = known.get(key);
    if (seconds === undefined) {
      seconds = alone(workload, cluster, fixed, model, tensor, context, microBatch);
      known.set(key, seconds);
    }
    return seconds;
  };
  return (grid, { microBatch, interleave }) => {
    const { data, tensor, context, pipeline } = grid;
    const slots = fixed.globalBatch / data / microBatch;
    const whole = oneMicroBatch(tensor, context, microBatch);
    return (whole * (slots + (pipeline - 1) / interleave)) / pipeline;
  };
}

function alone(
  workload: Workload,
  cluster: Cluster,
  fixed: Fixed,
  model: StepModel,
  tensor: number,
  context: number,
  microBatch: number,
): number {
  const grid: Grid = { data: 1, context, tensor, pipeline: 1, expert: 1 };
  const arrangement = {
    ...grid,
    microBatch,
    interleave: 1,
    zero: 0,
    offload: 'none',
    offloadTo: 'host',
    recompute: 'none',
    sequenceParallel: fixed.sequenceParallel ?? (tensor > 1 && fixed.sequence % tensor === 0),
    precision: fixed.precision,
    globalBatch: microBatch,
    sequence: fixed.sequence,
    flashAttention: fixed.flashAttention,
  } as const;
  if (workload.experts !== undefined) {
    const { modelFlop } = model.step(arrangement, model.room(arrangement));
    return modelFlop / devices(grid) / (cluster.accelerator.rates[fixed.precision] ?? Number.POSITIVE_INFINITY);
  }
  const { matrices, memoryBound, tensorCommunication } = model.time(arrangement);
  return matrices + memoryBound + tensorCommunication;
}
