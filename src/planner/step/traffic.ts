import { attentionsOf } from '../catalogue/flop.js';
import type { Arrangement, Cluster, FrameworkHabits, Workload } from '../types.js';
import { groupOf } from './collectives.js';
import type { Stages } from './stages.js';

/** Bytes that one accelerator sends in a step, within its node and to other nodes. */
export function trafficOf(
  w: Workload,
  cluster: Cluster,
  arrangement: Arrangement,
  habits: FrameworkHabits,
  stages: Stages,
  parameters: number,
  microBatches: number,
): { bytesIntra: number; bytesInter: number } {
  const { data, tensor, context, pipeline, interleave, zero } = arrangement;
  const activation = ((arrangement.microBatch * arrangement.sequence) / context) * w.hidden * 2;
  const passes = arrangement.recompute === 'full' ? 3 : 2;
  const m = microBatches;
  let bytesIntra = 0;
  let bytesInter = 0;
  const add = (size: number, stride: number, bytes: number): void => {
    const group = groupOf(cluster, size, stride);
    // Of a ring's links those to another node are as many as nodes it passes.
    const outside = group.size > group.inNode ? 1 / group.inNode : 0;
    bytesIntra += bytes * (1 - outside);
    bytesInter += bytes * outside;
  };
  if (tensor > 1) {
    add(tensor, 1, m * stages.layers * passes * (1 + attentionsOf(w)) * 2 * ((tensor - 1) / tensor) * activation);
  }
  if (pipeline > 1) {
    const message = habits.splitPipelineMessages ? activation / tensor : activation;
    const bytes = 2 * m * interleave * message;
    if (tensor * context * data < cluster.perNode) bytesIntra += bytes;
    else bytesInter += bytes;
  }
  const ranks = data * context;
  if (ranks > 1) {
    const share = (ranks - 1) / ranks;
    const once =
      zero === 3
        ? pipeline > 1
          ? habits.gatherBytes + habits.reduceBytes
          : m * (2 * habits.gatherBytes + habits.reduceBytes)
        : habits.reduceBytes + (zero === 0 ? habits.reduceBytes : habits.gatherBytes);
    add(ranks, tensor, share * parameters * once);
  }
  return { bytesIntra, bytesInter };
}
