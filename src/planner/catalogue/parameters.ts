import type { Workload } from '../types.js';

/** What of a workload's description the count of its parameters depends on. */
export type ShapeDimensions = Omit<Workload, 'parameters' | 'activeParameters'>;

/** Parameters of one layer: attention, the feed-forward part (of one expert), router, norms. */
export interface LayerParameters {
  readonly attention: number;
  readonly feedForward: number;
  readonly router: number;
  readonly norms: number;
}

/** LayerNorm has a gain and a shift, RMSNorm a gain. */
const normVectors = (w: Pick<ShapeDimensions, 'family' | 'biases'>): 1 | 2 =>
  w.family === 'llama' || !w.biases ? 1 : 2;

/** Parameters of one layer; GPT-2's is 12·h² + 13·h (arXiv 2104.04473, eq. 2). */
export function layerParameters(w: ShapeDimensions): LayerParameters {
  const { hidden, feedForward: inner } = w;
  const query = w.heads * w.headSize;
  const keyValue = 2 * w.keyValueHeads * w.headSize;
  const bias = w.biases ? 1 : 0;
  return {
    attention: hidden * (query + keyValue) + bias * (query + keyValue) + query * hidden + bias * hidden,
    feedForward: w.feedForwardMatrices * hidden * inner + bias * ((w.feedForwardMatrices - 1) * inner + hidden),
    router: w.experts ? hidden * w.experts.count : 0,
    norms: 2 * normVectors(w) * hidden,
  };
}

/** Parameters of embedding, learned positions, last norm and, where it is no copy of the embedding, the head. */
export function outerParameters(w: ShapeDimensions): number {
  const positions = w.positions === 'learned' ? w.context * w.hidden : 0;
  const tables = w.tiedHead ? 1 : 2;
  return tables * w.vocabulary * w.hidden + positions + normVectors(w) * w.hidden;
}

/** Completes a description by its parameters: all, and those that a token passes. */
export function transformer(w: ShapeDimensions): Workload {
  const layer = layerParameters(w);
  const shared = layer.attention + layer.router + layer.norms;
  const { count, active } = w.experts ?? { count: 1, active: 1 };
  const outer = outerParameters(w);
  return {
    ...w,
    parameters: w.layers * (shared + count * layer.feedForward) + outer,
    activeParameters: w.layers * (shared + active * layer.feedForward) + outer,
  };
}
