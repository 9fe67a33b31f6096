/*
 * Shape suffixes: N tokens = T positions × B sequences, time-major; C width; M tokens to be told; V vocabulary.
 */
import {
  addAll,
  CHUNK_ELEMENTS,
  chunkSizes,
  concat,
  crossEntropy,
  gather,
  mul,
  reduceSum,
  split,
  type Tensor,
} from '../../graph/index.js';
import type { TracedParameters } from '../../model/architecture.js';
import type { Model } from '../../model/model.js';
import { likeliest } from '../likeliest.js';

/** Which tokens of a micro-batch are to be told. */
export interface MaskedTargets {
  /** Rows of the hidden state, t · B + b: [M] int64. */
  readonly positions_M: Tensor;
  /** What stood there: [M] int64. */
  readonly targets_M: Tensor;
  /** What each counts for, [M] float32: 0 where a micro-batch has fewer tokens to tell than M. */
  readonly weights_M: Tensor;
}

/**
 * What a model of masked tokens (BERT, arXiv 1810.04805) says of those to be told; only their scores are computed.
 *
 * @param x_NC the last hidden state, [N, C]
 * @param chunk elements of the scores that are computed at once, about
 * @returns `loss`: the sum of weight times cross-entropy in nats, a scalar; `predictions`: the likeliest token of each,
 * [M] float32, of equal ones the first, which has no gradient
 */
export function maskedLoss(
  model: Pick<Model, 'dimensions' | 'logits'>,
  parameters: TracedParameters,
  x_NC: Tensor,
  { positions_M, targets_M, weights_M }: MaskedTargets,
  chunk = CHUNK_ELEMENTS,
): { loss: Tensor; predictions: Tensor } {
  const most = Math.max(1, Math.floor(chunk / model.dimensions.vocabulary));
  const sizes = chunkSizes(positions_M.shape[0]!, most);
  const [positions, targets, weights] = [positions_M, targets_M, weights_M].map((x) => split(x, 0, sizes));
  const parts = sizes.map((_, i) => {
    const logits_MV = model.logits(parameters, gather(x_NC, positions![i]!));
    const weighted_M = mul(crossEntropy(logits_MV, targets![i]!), weights![i]!);
    return { loss: reduceSum(weighted_M, [0]), predictions: likeliest(logits_MV) };
  });
  return {
    loss: addAll(parts.map(({ loss }) => loss)),
    predictions: concat(
      parts.map(({ predictions }) => predictions),
      0,
    ),
  };
}
