import { attentionsOf, expertsOf, headSizes } from '../catalogue/flop.js';
import type { Arrangement, FrameworkHabits, Workload } from '../types.js';
import { operandBytes } from './matrix.js';

/**
 * Bytes that one layer keeps of one micro-batch for its backward pass, on one device (arXiv 2205.05198, §4):
 * T·h·(10 + 24/t + 5·a·s/(h·t)) for GPT with dropout in 16 bits; the parts are counted here one by one so that gated
 * feed-forward parts, grouped keys, tiled attention, attention to an encoder and models without dropout follow.
 */
export function layerActivations(
  w: Workload,
  arrangement: Arrangement,
  habits: FrameworkHabits,
  recompute: Arrangement['recompute'] = arrangement.recompute,
): number {
  const { tensor, context, sequence } = arrangement;
  const T = (arrangement.microBatch * sequence) / context;
  const h = w.hidden;
  const split = arrangement.sequenceParallel ? tensor : 1;
  const mask = habits.dropout ? 1 : 0;
  const attentions = attentionsOf(w);
  // What a product takes is kept in the product's format: inputs of both blocks, of the projection, of the last matrix.
  const kept = operandBytes[arrangement.precision] > 2 ? 4 : Math.min(2, operandBytes[arrangement.precision]);
  // Inputs of both norms and of both blocks, and the masks after them: 10·h with dropout in 16 bits.
  const shared = ((1 + attentions) * (2 + kept + mask) * h) / split;
  const head = headSizes(w);
  const query = head.value * w.heads;
  // Queries, keys and values as the core takes them.
  const taken = w.latent ? w.heads * (2 * head.key + head.value) : query + 2 * w.headSize * w.keyValueHeads;
  const own = kept < 2 && arrangement.flashAttention ? 2 : 0;
  const heads = (attentions * (2 * taken + (kept + own) * query)) / tensor;
  const { passed, dense } = expertsOf(w);
  const width = passed * w.feedForward + dense;
  const up = (w.feedForwardMatrices - 1) * width;
  const inner = (width * (2 * (w.feedForwardMatrices - 1) + kept)) / tensor;
  const scores = arrangement.flashAttention ? 4 * w.heads : (2 + 3 * mask) * w.heads * sequence;
  const core = (attentions * scores) / tensor;
  if (recompute === 'full') return (2 * T * h) / split;
  if (recompute === 'selective' && habits.selectiveProducts) {
    // The layer's input, attention's output, and every second product's.
    const products = attentions * taken + up;
    return (
      2 * T * (h / split + (attentions * query) / tensor + ((1 + attentions) * h) / split / 2 + products / tensor / 2)
    );
  }
  return T * (shared + heads + inner + (recompute === 'selective' ? 0 : core));
}

/** Bytes that a layer needs at once while it is computed: all that it would keep without recomputation. */
export function workingActivations(w: Workload, arrangement: Arrangement, habits: FrameworkHabits): number {
  return layerActivations(w, arrangement, habits, 'none');
}

/** Bytes of the activation that a stage hands on, of one micro-batch on one device. */
export function boundaryActivations(w: Workload, arrangement: Arrangement): number {
  const split = arrangement.sequenceParallel ? arrangement.tensor : 1;
  return (2 * arrangement.microBatch * arrangement.sequence * w.hidden) / (arrangement.context * split);
}

/**
 * Micro-batches whose activations the first stage holds at most, in stages' worth: p with 1F1B, and
 * p·(1 + (p − 1)/(p·v)) with interleaving (arXiv 2205.05198, §4.2.3), never more than there are.
 */
export function inFlight(pipeline: number, interleave: number, microBatches: number): number {
  if (pipeline === 1) return 1;
  const held = interleave === 1 ? pipeline : pipeline + (pipeline - 1) / interleave;
  return Math.min(held, microBatches);
}

/** Bytes of logits and the loss's passes over them, of one micro-batch on one device of the last stage. */
export function logitsBytes(arrangement: Arrangement, vocabulary: number, fusedLoss: boolean): number {
  const T = (arrangement.microBatch * arrangement.sequence) / arrangement.context;
  // In 16 bits; without fusion also in 32, and the softmax that backward needs, in 32.
  return (T * vocabulary * (fusedLoss ? 4 : 10)) / arrangement.tensor;
}
