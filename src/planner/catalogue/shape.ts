import type { Workload } from '../types.js';
import { attentionMatrices } from './flop.js';

/** What a transformer is made of, down to what every parameter needs; {@link toWorkload} counts them. */
export interface ModelShape
  extends Omit<Workload, 'name' | 'biases' | 'parameters' | 'activeParameters' | 'crossAttentionLayers'> {
  /** Which linear layers have a bias. */
  readonly biases: readonly Bias[];
  /** Width of the embedding's rows; where it is not the model's own, two products lead from one to the other. */
  readonly embedding: number;
  readonly normBias: boolean;
  readonly normsPerLayer: number;
  readonly embeddingNorm: boolean;
  readonly finalNorm: boolean;
  /** A norm over each head's queries and keys. */
  readonly queryKeyNorm: boolean;
  /** Rows of learned positions and of token types. */
  readonly positionRows: number;
  readonly tokenTypes: number;
  /** A square layer over the first token (BERT). */
  readonly pooler: boolean;
  /** Layers that attend to an encoder's output as well. */
  readonly crossAttentionLayers: number;
  /** 2: encoder and decoder, each with positions and a final norm of its own. */
  readonly stacks: number;
}

export type Bias = 'queryKeyValue' | 'output' | 'feedForward' | 'head';

/** A workload of a shape, its parameters counted exactly. */
export function toWorkload(name: string, s: ModelShape): Workload {
  const { parameters, activeParameters } = countParameters(s);
  const { family, layers, hidden, heads, keyValueHeads, headSize, feedForward, feedForwardMatrices } = s;
  const { vocabulary, context, tiedHead, positions, causal, experts, latent, crossAttentionLayers } = s;
  return {
    name,
    family,
    layers,
    hidden,
    heads,
    keyValueHeads,
    headSize,
    feedForward,
    feedForwardMatrices,
    vocabulary,
    context,
    tiedHead,
    biases: s.biases.includes('feedForward'),
    positions,
    causal,
    ...(experts ? { experts } : {}),
    ...(latent ? { latent } : {}),
    ...(crossAttentionLayers ? { crossAttentionLayers } : {}),
    parameters,
    activeParameters,
  };
}

/** Outputs of the products whose bias latent attention has: those that lead to its ranks. */
const latentBias = ({ query, keyValue, rotated }: NonNullable<ModelShape['latent']>): number =>
  (query ?? 0) + keyValue + rotated;

/** Elements of all trained tensors, and of those a token passes. */
function countParameters(s: ModelShape): { parameters: number; activeParameters: number } {
  const bias = (which: Bias, elements: number) => (s.biases.includes(which) ? elements : 0);
  const { hidden: C, heads: H, keyValueHeads: K, headSize: D, feedForward: F, feedForwardMatrices: matrices } = s;
  const norm = s.normBias ? 2 * C : C;
  const latent = s.latent && (s.latent.query ?? 0) + s.latent.keyValue;
  const projected = s.latent ? latentBias(s.latent) : D * (H + 2 * K);
  const attention = attentionMatrices(s) + (latent ?? 0) + bias('queryKeyValue', projected) + bias('output', C);
  const expert = matrices * C * F + bias('feedForward', (matrices - 1) * F + C);
  const router = s.experts ? C * s.experts.count : 0;
  const { denseLayers = 0, denseFeedForward = 0, shared = 0 } = s.experts ?? {};
  const dense = denseLayers * (matrices * C * denseFeedForward - router);
  const layer = attention + router + s.normsPerLayer * norm + (s.queryKeyNorm ? 2 * D : 0);
  const outside =
    s.vocabulary * s.embedding * (s.tiedHead ? 1 : 2) +
    (s.embedding === C ? 0 : 2 * s.embedding * C) +
    bias('head', s.vocabulary) +
    (s.positionRows * s.stacks + s.tokenTypes) * C +
    (s.embeddingNorm ? norm : 0) +
    (s.finalNorm ? norm * s.stacks : 0) +
    (s.pooler ? C * C + C : 0);
  const total = (experts: number) =>
    outside +
    s.layers * layer +
    (s.layers - denseLayers) * (experts + shared) * expert +
    dense +
    s.crossAttentionLayers * (attention + norm);
  return {
    parameters: total(s.experts?.count ?? 1),
    activeParameters: total(s.experts?.active ?? 1),
  };
}
