import type { TimeConstants } from '../catalogue/constant-types.js';
import type { Arrangement, Cluster, FrameworkHabits, StepTime, Workload } from '../types.js';
import { allReduceTime, gatherTime, groupOf, handOverTime, shardedTime } from './collectives.js';
import type { HeadTime } from './head.js';
import type { LayerTime } from './layer.js';
import type { Stages } from './stages.js';

/** Micro-batches that a data-parallel rank works through in a step; the last may be smaller and counts whole. */
export function microBatches(arrangement: Arrangement): number {
  return Math.max(1, Math.ceil(arrangement.globalBatch / (arrangement.data * arrangement.microBatch)));
}

/** Share of tensor parallelism's exchange that stays visible where a framework overlaps it with the products. */
const visible = (overlapped: boolean, c: TimeConstants): number => (overlapped ? 1 - c.overlap : 1);

/**
 * Seconds of a step. The pipeline's slowest stage works through m micro-batches, and (p − 1)/v slots go by before it
 * is full and after (arXiv 2104.04473, §2.2); the exchanges of data parallelism, the optimiser and the traffic of
 * offloading follow, as far as they are not hidden.
 *
 * @param parameters of one device, before ZeRO splits them
 * @param efficiency share of the roofline that the framework reaches
 * @param layer of `layerTime`; @param head of `headTime`
 */
export function stepTime(
  w: Workload,
  cluster: Cluster,
  arrangement: Arrangement,
  habits: FrameworkHabits,
  efficiency: number,
  stages: Stages,
  parameters: number,
  c: TimeConstants,
  layer: LayerTime,
  head: HeadTime,
): StepTime {
  const { data, tensor, context, pipeline, interleave, zero, recompute } = arrangement;
  const m = microBatches(arrangement);
  const card = cluster.accelerator;
  const bandwidth = card.memoryBandwidth * c.memoryEfficiency * efficiency;
  // A processor starts its own kernels: there is no host to wait for, in a layer or at a step's end.
  const isHost = card.kind === 'cpu';

  const again =
    recompute === 'full'
      ? layer.matricesForward + layer.memoryForward
      : recompute === 'none'
        ? 0
        : habits.selectiveProducts
          ? (layer.matricesForward - layer.attentionCore) / 2 + layer.memoryForward
          : arrangement.flashAttention
            ? 0
            : layer.attentionCore;
  const passes = recompute === 'full' ? 3 : 2;
  const layerMatrices = (layer.matricesForward + layer.matricesBackward) / efficiency;
  const layerMemory = (layer.memoryForward + layer.memoryBackward) / efficiency;
  const layerAgain = again / efficiency;
  const layerExchange = passes * layer.communication * visible(habits.tensorOverlap, c);
  const onDevice = layerMatrices + layerMemory + layerAgain + layerExchange;
  // Where the host cannot start kernels as fast as the device is done with them, the device waits.
  const layerWait = isHost ? 0 : Math.max(0, passes * c.hostPass * (tensor > 1 ? 2 : 1) - onDevice);
  const layerSlot = onDevice + layerWait;
  const headMatrices = head.matrices / efficiency;
  const headMemory = head.memory / efficiency;
  const headSlot = headMatrices + headMemory;
  const accumulation = m === 1 ? 0 : (parameters * habits.accumulationBytes) / bandwidth;

  const headIsSlowest = stages.lastLayers * layerSlot + headSlot > stages.layers * layerSlot;
  const layers = headIsSlowest ? stages.lastLayers : stages.layers;
  const heads = headIsSlowest ? 1 : 0;
  const slot = layers * layerSlot + heads * headSlot + accumulation;
  const meanSlot = (w.layers * layerSlot + headSlot) / pipeline + accumulation;

  let pipelineCommunication = 0;
  let bubble = 0;
  if (pipeline > 1) {
    const activation = ((arrangement.microBatch * arrangement.sequence) / context) * w.hidden * 2;
    const message = habits.splitPipelineMessages ? activation / tensor : activation;
    const hop = handOverTime(cluster, tensor * context * data, message, c);
    pipelineCommunication = 2 * hop * (m * interleave + pipeline - 1) * visible(habits.dataOverlap, c);
    bubble = ((pipeline - 1) / interleave) * meanSlot;
  }

  const group = groupOf(cluster, data * context, tensor);
  let dataCommunication = 0;
  if (group.size > 1) {
    const reduced = parameters * habits.reduceBytes;
    const gathered = parameters * habits.gatherBytes;
    if (zero === 3) {
      // Parameters come for forward and for backward, gradients go, in every micro-batch; a pipeline keeps what came,
      // and its gradients, until the step's end.
      const pieces = stages.layers * (habits.gatherByParameter ? 2 + w.feedForwardMatrices : 1);
      const rounds = pipeline > 1 ? 1 : m;
      const once = (bytes: number): number => shardedTime(cluster, group, bytes, pieces, habits.gatherByParameter, c);
      const exchange = (pipeline > 1 ? 1 : 2) * once(gathered) + once(reduced);
      const work = pipeline > 1 ? m * slot : slot;
      dataCommunication = rounds * hidden(exchange, work, habits.dataOverlap, c.overlap);
    } else {
      const exchange =
        zero === 0
          ? allReduceTime(cluster, group, reduced, c)
          : gatherTime(cluster, group, reduced, c) + gatherTime(cluster, group, gathered, c);
      dataCommunication = hidden(exchange, slot, habits.dataOverlap, c.gradientOverlap);
    }
  }
  if (pipeline > 1 && w.tiedHead) {
    // The table's gradients of the first and the last stage are summed.
    const pair = { size: 2, inNode: tensor * context * data < cluster.perNode ? 2 : 1 };
    dataCommunication += allReduceTime(cluster, pair, (w.vocabulary * w.hidden * habits.reduceBytes) / tensor, c);
  }

  const owned = zero === 0 ? parameters : parameters / (data * context);
  const offloaded = arrangement.offload !== 'none';
  const state = 2 * habits.optimizerBytes + 4 * habits.gradientBytes + habits.parameterBytes;
  const optimizer = (offloaded ? 0 : (owned * state) / bandwidth) + (isHost ? 0 : c.stepOverhead);
  const matrices = m * (layers * layerMatrices + heads * headMatrices);
  const memoryBound = m * (layers * (layerMemory + layerWait) + heads * headMemory + accumulation);
  const recomputed = m * layers * layerAgain;
  const tensorCommunication = m * layers * layerExchange;
  const offload = offloaded ? offloadTime(cluster, arrangement, habits, owned, parameters, m) : 0;
  return {
    matrices,
    memoryBound,
    recompute: recomputed,
    tensorCommunication,
    pipelineCommunication,
    pipelineBubble: bubble,
    dataCommunication,
    optimizer,
    offload,
    total:
      matrices +
      memoryBound +
      recomputed +
      tensorCommunication +
      pipelineCommunication +
      bubble +
      dataCommunication +
      optimizer +
      offload,
  };
}

/** What of an exchange is seen beside `work` seconds of products that it may run under. */
function hidden(exchange: number, work: number, overlapped: boolean, share: number): number {
  return overlapped ? Math.max(exchange - work * share, exchange * (1 - share)) : exchange;
}

/**
 * Seconds of offloading: gradients go to the host and new parameters come back, the host's Adam reads and writes the
 * state at its memory's speed (ZeRO-Offload, arXiv 2101.06840) or its disks', and parameters that live there cross
 * the link twice for each micro-batch.
 */
function offloadTime(
  cluster: Cluster,
  arrangement: Arrangement,
  habits: FrameworkHabits,
  owned: number,
  parameters: number,
  m: number,
): number {
  const { host, perNode } = cluster;
  const toDisk = arrangement.offloadTo === 'disk';
  const store = toDisk ? (host.diskBandwidth ?? 0) : host.memoryBandwidth;
  const link = toDisk ? Math.min(host.link, store / perNode) : host.link;
  const step = (owned * perNode * 2 * habits.optimizerBytes) / store + (owned * (habits.gradientBytes + 2)) / host.link;
  const share = arrangement.zero === 3 ? owned : parameters;
  const stream = arrangement.offload === 'optimizer+parameters' ? (2 * m * share * habits.gatherBytes) / link : 0;
  return step + stream;
}
