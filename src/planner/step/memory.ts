import type { MemoryConstants } from '../catalogue/constant-types.js';
import type { Arrangement, Cluster, FrameworkHabits, MemoryUse, Workload } from '../types.js';
import { boundaryActivations, inFlight, layerActivations, logitsBytes, workingActivations } from './activations.js';
import type { Stages } from './stages.js';
import { stateBytes } from './states.js';

/** Bytes of one layer's activations for one micro-batch: kept for its backward pass, and needed while it is computed again. */
export interface LayerMemory {
  readonly kept: number;
  readonly working: number;
}

export function layerMemory(w: Workload, arrangement: Arrangement, habits: FrameworkHabits): LayerMemory {
  return {
    kept: layerActivations(w, arrangement, habits),
    working: arrangement.recompute === 'none' ? 0 : workingActivations(w, arrangement, habits),
  };
}

/**
 * Bytes of one device at the peak of a step: the first stage, which holds the activations of most micro-batches, or
 * the last, which has the logits.
 *
 * @param parameters of one device, before ZeRO splits them
 */
export function memoryUse(
  w: Workload,
  cluster: Cluster,
  arrangement: Arrangement,
  habits: FrameworkHabits,
  stages: Stages,
  parameters: number,
  microBatches: number,
  c: MemoryConstants,
  { kept, working }: LayerMemory = layerMemory(w, arrangement, habits),
): MemoryUse {
  const states = stateBytes(parameters, arrangement, habits);
  const held = inFlight(arrangement.pipeline, arrangement.interleave, microBatches);
  const logits = logitsBytes(arrangement, w.vocabulary, habits.fusedLoss);
  // A stage's input and output of each micro-batch under way stay until its gradient is back.
  const edges = arrangement.pipeline === 1 ? 0 : held * boundaryActivations(w, arrangement);
  const first = held * stages.layers * kept + edges + working;
  const last = stages.lastLayers * kept + Math.max(working, logits);
  const alone = arrangement.pipeline === 1;
  const atLast = alone || last > first;
  const activations = alone ? first : atLast ? stages.lastLayers * kept : first;
  const logitsHeld = atLast ? logits : 0;
  // Parameters of one layer that ZeRO-3 has gathered, and the next, on their way.
  const gathered =
    arrangement.zero === 3 && alone ? (2 * habits.gatherBytes * parameters) / Math.max(1, stages.layers) : 0;
  const context = Math.min(c.contextBytes, cluster.accelerator.memory / 20);
  const buffers = context + gathered + c.fragmentation * (activations + logitsHeld + gathered);
  const total = states.parameters + states.gradients + states.optimizer + activations + buffers + logitsHeld;
  return {
    parameters: states.parameters,
    gradients: states.gradients,
    optimizer: states.optimizer,
    activations,
    buffers,
    logits: logitsHeld,
    total,
    available: cluster.accelerator.memory,
    host: states.host * Math.min(cluster.perNode, cluster.accelerators),
  };
}
