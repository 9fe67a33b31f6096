import type { Workload } from '../types.js';

/**
 * Attention blocks of a layer, a mean over the layers: one, and where a decoder attends to its encoder's output (arXiv
 * 1706.03762, section 3.1) another, with norm, residual and matrices of its own.
 */
export function attentionsOf(w: Workload): number {
  return 1 + (w.crossAttentionLayers ?? 0) / w.layers;
}

/**
 * FLOP of the products of one layer's forward pass for one token, experts counted as often as a token passes them:
 * two per parameter of a matrix. Attention's scores and sums are {@link attentionFlop}.
 */
export function layerFlop(w: Workload): number {
  const { mixed, passed, dense } = expertsOf(w);
  const router = mixed * w.hidden * (w.experts?.count ?? 0);
  // Attention to an encoder's output: queries and output of these tokens, keys and values of as many others.
  const attention = attentionsOf(w) * attentionMatrices(w);
  const widths = passed * w.feedForward + dense;
  return 2 * (attention + w.feedForwardMatrices * w.hidden * widths + router);
}

/**
 * Feed-forward parts of a mean layer: share of the layers that have experts, experts that a token passes, and inner width
 * of what layers without have.
 */
export function expertsOf(w: Pick<Workload, 'experts' | 'layers'>): { mixed: number; passed: number; dense: number } {
  const { experts } = w;
  if (experts === undefined) return { mixed: 0, passed: 1, dense: 0 };
  const without = (experts.denseLayers ?? 0) / w.layers;
  const mixed = 1 - without;
  return {
    mixed,
    passed: mixed * (experts.active + (experts.shared ?? 0)),
    dense: without * (experts.denseFeedForward ?? 0),
  };
}

/** Sizes of a head in attention's products: of queries and keys, and of values. */
export function headSizes({ latent, headSize }: Pick<Workload, 'latent' | 'headSize'>): { key: number; value: number } {
  return latent ? { key: latent.plain + latent.rotated, value: latent.value } : { key: headSize, value: headSize };
}

/** Elements of attention's matrices of a layer. */
export function attentionMatrices(
  w: Pick<Workload, 'latent' | 'headSize' | 'hidden' | 'heads' | 'keyValueHeads'>,
): number {
  const { latent, hidden, heads } = w;
  if (!latent) return hidden * w.headSize * (2 * heads + 2 * w.keyValueHeads);
  const { key, value } = headSizes(w);
  const query = latent.query === null ? hidden * heads * key : latent.query * (hidden + heads * key);
  const down = hidden * (latent.keyValue + latent.rotated);
  return query + down + latent.keyValue * heads * (latent.plain + value) + heads * value * hidden;
}

/**
 * FLOP of attention's two products for one token of a sequence of T tokens, one layer, forward: 4·T·a·d a block. The causal
 * half counts in full, as the published conventions do (arXiv 2104.04473, appendix; arXiv 2204.02311, appendix B).
 */
export function attentionFlop(w: Workload, sequence: number): number {
  const { key, value } = headSizes(w);
  return attentionsOf(w) * 2 * sequence * w.heads * (key + value);
}

/** FLOP of the head's product for one token, forward. */
export function headFlop(w: Workload): number {
  return 2 * w.hidden * w.vocabulary;
}

/** FLOP of the model in training on one token: three forward passes' worth, no recomputation. */
export function modelFlopPerToken(w: Workload, sequence: number): number {
  return 3 * (w.layers * (layerFlop(w) + attentionFlop(w, sequence)) + headFlop(w));
}

/**
 * FLOP of a step by eq. 3 of arXiv 2104.04473: 96·B·T·l·h²·(1 + T/6h + V/16lh), recomputation of the
 * layers included; the head's term is its forward and backward.
 *
 * @param batch sequences of the step
 */
export function megatronFlop(w: Workload, batch: number, sequence: number): number {
  const { layers, hidden, vocabulary } = w;
  const rest = 1 + sequence / (6 * hidden) + vocabulary / (16 * layers * hidden);
  return 96 * batch * sequence * layers * hidden * hidden * rest;
}
