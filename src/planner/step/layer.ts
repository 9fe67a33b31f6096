import type { TimeConstants } from '../catalogue/constant-types.js';
import { attentionsOf, expertsOf, headSizes } from '../catalogue/flop.js';
import type { Arrangement, Cluster, FrameworkHabits, Workload } from '../types.js';
import { allReduceTime, allToAllTime, type Group, groupOf } from './collectives.js';
import { matrixTime, operandBytes, sustainedRate } from './matrix.js';

/** Seconds of one layer for one micro-batch on one device. */
export interface LayerTime {
  matricesForward: number;
  matricesBackward: number;
  memoryForward: number;
  memoryBackward: number;
  /** Of these, forward, what is computed again with selective recomputation: scores, softmax, sums. */
  attentionCore: number;
  /** Exchange of tensor, context and expert parallelism, one direction. */
  communication: number;
}

/** Nodes that a token is sent to at most, once each; no limit where its experts may lie anywhere. */
function nodesOfToken({ groups }: NonNullable<Workload['experts']>, { size, inNode }: Group): number {
  return groups === undefined ? Number.POSITIVE_INFINITY : Math.min(groups.active, Math.ceil(size / inNode));
}

/** Rows of heads' products that are not a multiple of 8 elements read memory in pieces of less than 16 bytes. */
const misaligned = (headSize: number): boolean => headSize % 8 !== 0;

/**
 * Seconds of a layer by operators: each product by {@link matrixTime}, each pass over memory by its bytes.
 *
 * Legend: T tokens of the micro-batch on this device, h hidden, a heads and g key-value heads of this device, d head
 * size, f inner width of this device.
 */
export function layerTime(
  w: Workload,
  cluster: Cluster,
  arrangement: Arrangement,
  habits: FrameworkHabits,
  c: TimeConstants,
): LayerTime {
  const { tensor, context, precision } = arrangement;
  const card = cluster.accelerator;
  const bandwidth = card.memoryBandwidth * c.memoryEfficiency;
  const narrow = precision === 'fp8' || precision === 'mxfp8' || precision === 'nvfp4';
  const rate = sustainedRate(card, precision, c);
  const wideRate = narrow ? sustainedRate(card, 'bf16', c) : rate;
  const bytes = operandBytes[precision];
  const wide = narrow ? 2 : bytes;
  const T = (arrangement.microBatch * arrangement.sequence) / context;
  const h = w.hidden;
  const d = w.headSize;
  const a = w.heads / tensor;
  const g = Math.max(1, w.keyValueHeads / tensor);
  const f = w.feedForward / tensor;
  const experts = w.experts;
  const rows = experts ? (T * experts.active * arrangement.expert) / Math.max(1, experts.count) : T;
  const copies = experts ? experts.count / arrangement.expert : 1;
  const { mixed, dense } = expertsOf(w);
  const gates = w.feedForwardMatrices - 1;
  const up = gates * f;
  const { latent } = w;
  const head = headSizes(w);
  // Of latent attention: ranks that all tensor-parallel devices make, then the heads of each.
  const ranks = latent ? (latent.query ?? 0) + latent.keyValue + latent.rotated : 0;
  const qkv = latent ? a * (head.key + latent.plain + head.value) : (a + 2 * g) * d;

  const product = (m: number, n: number, k: number, count = 1): number =>
    matrixTime(m, n, k, count, rate, bandwidth, bytes, c);
  const linear = (m: number, n: number, k: number, count = 1): number =>
    product(m, k, n, count) + product(k, n, m, count);
  // Attention to an encoder's output, in some layers, has the same matrices again.
  const attentions = attentionsOf(w);
  let forward = 0;
  let backward = 0;
  const multiply = (times: number, m: number, n: number, k: number, count = 1): void => {
    if (times === 0) return;
    forward += times * product(m, n, k, count);
    backward += times * linear(m, n, k, count);
  };
  if (latent) {
    multiply(attentions, T, ranks, h);
    multiply(attentions, T, a * head.key, latent.query ?? h);
    multiply(attentions, T, a * (latent.plain + head.value), latent.keyValue);
  } else {
    multiply(attentions, T, qkv, h);
  }
  multiply(attentions, T, h, a * head.value);
  multiply(experts ? mixed : 1, rows, up, h, copies);
  multiply(experts ? mixed : 1, rows, h, f, copies);
  if (experts) {
    // Beside them: those that every token passes, and the feed-forward part of layers that have none.
    const shared = ((experts.shared ?? 0) * w.feedForward) / tensor;
    const alone = (experts.denseFeedForward ?? 0) / tensor;
    if (shared > 0) {
      multiply(mixed, T, gates * shared, h);
      multiply(mixed, T, h, shared);
    }
    if (alone > 0) {
      multiply(1 - mixed, T, gates * alone, h);
      multiply(1 - mixed, T, h, alone);
    }
  }

  // Attention: a batch of products over s × s scores, or one tiled kernel that never stores them.
  const s = arrangement.sequence;
  const scores = attentions * T * s * a;
  // Every token attends to all of the encoder's.
  const causal = ((w.causal ? 0.5 : 1) + attentions - 1) / attentions;
  let core: number;
  let coreBytes = 0;
  if (arrangement.flashAttention) {
    const flop = 2 * scores * (head.key + head.value) * causal;
    // FlashAttention-3 and its like are for cards of 2022 and later.
    const generation = Math.min(habits.attentionKernel, card.kind === 'gpu' && card.year < 2022 ? 2 : 3) - 1;
    // FlashAttention-2 reaches 35 % of an H100, up to 70 % of an A100 (arXiv 2407.08608, §1).
    const reach = wideRate * (generation < 2 && card.kind === 'gpu' && card.year >= 2022 ? c.oldAttentionKernel : 1);
    core = flop / (reach * c.attentionForward[generation]!) + c.launch;
    // Backward computes the scores again: 2.5 times the products of forward (arXiv 2205.14135, §3).
    backward += (2.5 * flop) / (reach * c.attentionBackward[generation]!) + c.launch;
    forward += core;
  } else {
    const batch = (attentions * T * a) / s;
    const slow = misaligned(d) ? c.misalignment : 1;
    const pair = slow * 2 * matrixTime(s, s, d, batch, wideRate, bandwidth, wide, c);
    core = pair;
    forward += pair;
    backward += 2 * pair;
    // Scale, mask and softmax in one pass where fused, else three; then dropout with its mask.
    coreBytes = scores * ((habits.fusedPasses ? 4 : 12) + (habits.dropout ? 5 : 0)) * (wide / 2);
  }
  const coreBackwardBytes = arrangement.flashAttention
    ? 0
    : scores * ((habits.fusedPasses ? 6 : 10) + (habits.dropout ? 5 : 0)) * (wide / 2);

  // Norms and residuals are split along the sequence with sequence parallelism, else repeated by all.
  const split = arrangement.sequenceParallel ? tensor : 1;
  const pairs = (1 + attentions) / 2;
  const residual = pairs * (8 + 12 + (habits.dropout ? 2 : 0)) * h * (habits.fusedPasses ? 1 : 1.5);
  const residualBackward = pairs * (12 + 16 + (habits.dropout ? 10 : 0)) * h * (habits.fusedPasses ? 1 : 1.5);
  // Rotation pass by pass goes through 32 bits.
  const heads = attentions * (w.positions === 'rotary' ? (habits.fusedPasses ? 8 : 24) : 4) * qkv;
  // Widths that a token passes in a mean layer, here and in what the passes between the matrices move.
  const passes = experts ? (mixed * rows * copies) / T : 1;
  const besideWidth = (experts ? mixed * ((experts.shared ?? 0) * w.feedForward) + dense : 0) / tensor;
  const inner = (2 * gates + 2) * (f * passes + besideWidth) * (habits.fusedPasses ? 1 : 2);
  const innerBackward = (4 * gates + 2) * (f * passes + besideWidth) * (habits.fusedPasses ? 1 : 1.5);
  // Casting to a narrow format reads two bytes and writes the narrow ones twice: as it lies, and transposed.
  const cast = narrow ? (2 + 2 * bytes) * (attentions * (h + a * d) + h + f) : 0;
  const forwardBytes = T * (residual / split + heads + inner + cast) + coreBytes;
  const backwardBytes = T * (residualBackward / split + heads + innerBackward + cast * 1.5) + coreBackwardBytes;
  const launches = pairs * (habits.fusedPasses ? 10 : 20) * c.launch;

  // An all-reduce of an activation for each block (or as many bytes by gather and scatter), forward and again backward.
  let communication = 0;
  if (tensor > 1) communication += 2 * pairs * allReduceTime(cluster, groupOf(cluster, tensor, 1), T * h * 2, c);
  if (context > 1) {
    const group = groupOf(cluster, context, tensor);
    communication += attentions * allToAllTime(cluster, group, T * (2 * a + 2 * g) * d * 2, c);
  }
  if (experts && arrangement.expert > 1) {
    const group = groupOf(cluster, arrangement.expert, tensor);
    const nodes = Math.min(experts.active, nodesOfToken(experts, group));
    const one = T * h * 2;
    communication += 2 * mixed * allToAllTime(cluster, group, experts.active * one, c, nodes * one);
  }
  return {
    matricesForward: forward,
    matricesBackward: backward,
    memoryForward: forwardBytes / bandwidth + launches,
    memoryBackward: backwardBytes / bandwidth + launches,
    attentionCore: core + coreBytes / bandwidth,
    communication,
  };
}
