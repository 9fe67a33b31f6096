import type { OptionsOf } from '../../../base/option-table.js';
import { shippedConstants } from '../../catalogue/constants.js';
import { gatherTime, groupOf } from '../../step/collectives.js';
import type { Arrangement, Cluster, StepPrediction, Workload } from '../../types.js';
import type { STEP_OPTIONS } from '../option-table.js';
import { type PipelineSpec, type PipelineSummary, simulatePipeline } from '../pipeline/pipeline.js';
import type { Simulation } from '../timeline.js';
import { simulateZero, type ZeroSpec, type ZeroSummary } from '../zero/zero.js';

export interface StepSimulationOptions extends Readonly<OptionsOf<typeof STEP_OPTIONS>> {}

/** A step played out, and what it was predicted to take. */
export type StepSimulation =
  | { readonly kind: 'pipeline'; readonly predicted: number; readonly summary: PipelineSummary }
  | { readonly kind: 'zero'; readonly predicted: number; readonly summary: ZeroSummary };

/**
 * Plays a predicted step on a virtual clock: a pipeline (of one stage where there is none), or, with ZeRO-3, layer after
 * layer with its gathers and reductions. One data-parallel rank is shown, since all are alike.
 *
 * @throws UsageError when the arrangement makes no schedule, or an absurdly long one
 */
export function simulateStep(
  step: StepPrediction,
  workload: Workload,
  cluster: Cluster,
  arrangement: Arrangement,
  options: StepSimulationOptions = {},
): Simulation<StepSimulation> {
  const predicted = step.time.total;
  const byLayer = arrangement.zero === 3 && arrangement.pipeline === 1 && arrangement.data > 1;
  return byLayer
    ? mapped(simulateZero(zeroOf(step, workload, cluster, arrangement, options)), (summary) => ({
        kind: 'zero',
        predicted,
        summary,
      }))
    : mapped(simulatePipeline(pipelineOf(step, arrangement, options)), (summary) => ({
        kind: 'pipeline',
        predicted,
        summary,
      }));
}

/** Seconds of one data-parallel rank for a micro-batch on its slowest stage; backward takes twice the products. */
function passesOf({ time }: StepPrediction, microBatches: number): { forward: number; backward: number } {
  const work = (time.matrices + time.memoryBound + time.tensorCommunication) / microBatches;
  return { forward: work / 3, backward: (2 * work) / 3 + time.recompute / microBatches };
}

function microBatchesOf({ globalBatch, data, microBatch }: Arrangement): number {
  return Math.max(1, Math.ceil(globalBatch / (data * microBatch)));
}

/** The pipeline of a predicted step. */
export function pipelineOf(
  step: StepPrediction,
  arrangement: Arrangement,
  options: StepSimulationOptions = {},
): PipelineSpec {
  const { time } = step;
  const { pipeline: stages, interleave: chunks } = arrangement;
  const microBatches = microBatchesOf(arrangement);
  const { forward, backward } = passesOf(step, microBatches);
  // Sends block the sender, as the prediction has it: each pass ends with one.
  const hop = time.pipelineCommunication / (2 * (microBatches * chunks + stages - 1));
  // The bubble is predicted from the mean stage, all else from the slowest: the others are that much faster.
  const slot = forward + backward;
  const mean = stages > 1 ? (time.pipelineBubble * chunks) / (stages - 1) : slot;
  const others = stages > 1 ? Math.min(1, Math.max(0.05, (mean * stages - slot) / ((stages - 1) * slot))) : 1;
  const even = others > 0.999;
  return {
    stages,
    chunks,
    microBatches,
    order: '1f1b',
    forward: forward / chunks + hop,
    backward: backward / chunks + hop,
    afterwards: time.dataCommunication + time.optimizer + time.offload,
    ...(even ? {} : { slowness: Array.from({ length: stages }, (_, i) => (i === stages - 1 ? 1 : others)) }),
    ...noise(options),
  };
}

function zeroOf(
  step: StepPrediction,
  workload: Workload,
  cluster: Cluster,
  arrangement: Arrangement,
  options: StepSimulationOptions,
): ZeroSpec {
  const { layers } = workload;
  const { data, context, tensor } = arrangement;
  const microBatches = microBatchesOf(arrangement);
  const { forward, backward } = passesOf(step, microBatches);
  const group = groupOf(cluster, data * context, tensor);
  // In 16 bits, parameters and gradients alike.
  const layerBytes = (2 * workload.parameters) / layers / tensor;
  const alone = gatherTime(cluster, group, layerBytes, shippedConstants.time);
  // Where the prediction waits for all three exchanges of each layer, nothing is overlapped, and it knows the bytes best.
  const seen = step.time.dataCommunication / (3 * layers * microBatches);
  const overlaps = seen < 0.95 * alone;
  const exchange = overlaps ? alone : seen;
  return {
    layers,
    microBatches,
    forward: forward / layers,
    backward: backward / layers,
    gather: exchange,
    reduce: exchange,
    prefetch: options.prefetch ?? (overlaps ? 1 : 0),
    overlapReductions: overlaps,
    afterwards: step.time.optimizer + step.time.offload,
    ...noise(options),
  };
}

function noise({ jitter, seed }: StepSimulationOptions): { readonly jitter?: number; readonly seed?: number } {
  return { ...(jitter === undefined ? {} : { jitter }), ...(seed === undefined ? {} : { seed }) };
}

function mapped<A, B>(simulation: Simulation<A>, map: (summary: A) => B): Simulation<B> {
  return {
    ...simulation,
    *play() {
      return map(yield* simulation.play());
    },
  };
}
