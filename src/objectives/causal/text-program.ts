/*
 * Shape suffixes: N tokens = T · B, time-major; C width; V vocabulary.
 */
import {
  CHUNK_ELEMENTS,
  chunkSizes,
  concat,
  encode,
  exp,
  input,
  log,
  type Program,
  pick,
  reduceMax,
  reduceSum,
  reshape,
  split,
  sub,
  type Target,
  type Tensor,
} from '../../graph/index.js';
import type { Model } from '../../model/model.js';
import { likeliest } from '../likeliest.js';

/** The size of one run of a graph: `batch` sequences of `length` tokens. */
export interface MicroBatch {
  readonly batch: number;
  readonly length: number;
}

/**
 * What a model says of each token. Inputs: the parameters by their names, `ids` and `targets` [batch · length] int64,
 * time-major. Outputs, time-major: `losses` [N], in nats, and `predictions` [N], the likeliest token's id, of equal
 * ones the first.
 *
 * @param chunk elements of the logits that exist at once, about
 */
export function traceTokenLosses(
  model: Model,
  { batch, length }: MicroBatch,
  target: Target,
  chunk = CHUNK_ELEMENTS,
): Program {
  const parameters = model.parameterInputs();
  const N = batch * length;
  const V = model.dimensions.vocabulary;
  const x_NC = model.hidden(parameters, input('ids', [N], 'int64'), batch, length);
  const most = Math.max(1, Math.floor(chunk / V));
  const sizes = chunkSizes(N, most);
  const targets = split(input('targets', [N], 'int64'), 0, sizes);
  const parts = split(x_NC, 0, sizes).map((x, i) => judge(model.logits(parameters, x), targets[i]!));
  const joined = (name: 'losses' | 'predictions') =>
    concat(
      parts.map((part) => part[name]),
      0,
    );
  return encode({ losses: joined('losses'), predictions: joined('predictions') }, target);
}

function judge(logits_NV: Tensor, targets_N: Tensor): { losses: Tensor; predictions: Tensor } {
  const N = targets_N.shape[0]!;
  const largest_N1 = reduceMax(logits_NV, [1], true);
  const below_NV = sub(logits_NV, largest_N1);
  const logSum_N = log(reduceSum(exp(below_NV), [1]));
  const losses = sub(logSum_N, pick(below_NV, targets_N));
  return { losses: reshape(losses, [N]), predictions: likeliest(logits_NV) };
}
