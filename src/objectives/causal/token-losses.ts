/*
 * Shape suffixes: N tokens = T · B, time-major; C width; V vocabulary.
 */
import {
  CHUNK_ELEMENTS,
  chunkSizes,
  concat,
  exp,
  log,
  pick,
  reduceMax,
  reduceSum,
  reshape,
  split,
  sub,
  type Tensor,
} from '../../graph/index.js';
import type { TracedParameters } from '../../model/architecture.js';
import type { Model } from '../../model/model.js';
import { likeliest } from '../likeliest.js';

/**
 * What a model says of each token.
 *
 * @param x_NC the last hidden state, [N, C]
 * @param targets_N the tokens that come, [N] int64
 * @param chunk elements of the logits that exist at once, about
 * @returns `losses` [N], in nats, and `predictions` [N] float32, the likeliest token's id, of equal ones the first
 */
export function tokenLosses(
  model: Pick<Model, 'dimensions' | 'logits'>,
  parameters: TracedParameters,
  x_NC: Tensor,
  targets_N: Tensor,
  chunk = CHUNK_ELEMENTS,
): { losses: Tensor; predictions: Tensor } {
  const most = Math.max(1, Math.floor(chunk / model.dimensions.vocabulary));
  const sizes = chunkSizes(targets_N.shape[0]!, most);
  const targets = split(targets_N, 0, sizes);
  const parts = split(x_NC, 0, sizes).map((x, i) => judge(model.logits(parameters, x), targets[i]!));
  const joined = (name: 'losses' | 'predictions') =>
    concat(
      parts.map((part) => part[name]),
      0,
    );
  return { losses: joined('losses'), predictions: joined('predictions') };
}

function judge(logits_NV: Tensor, targets_N: Tensor): { losses: Tensor; predictions: Tensor } {
  const N = targets_N.shape[0]!;
  const largest_N1 = reduceMax(logits_NV, [1], true);
  const below_NV = sub(logits_NV, largest_N1);
  const logSum_N = log(reduceSum(exp(below_NV), [1]));
  const losses = sub(logSum_N, pick(below_NV, targets_N));
  return { losses: reshape(losses, [N]), predictions: likeliest(logits_NV) };
}
