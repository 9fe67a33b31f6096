import { linearCrossEntropy, linearCrossEntropyInt8, type Tensor } from '../graph/index.js';
import { INT8, type TracedParameters } from '../model/architecture.js';
import type { Model } from '../model/model.js';

/**
 * The mean cross-entropy of a model's head, in nats a row.
 *
 * @param x_NC the last hidden state, [N, C]
 * @param feeds `targets` [N] int64 and, where rows do not count alike, `weights` [N]
 */
export function headLoss(
  model: Pick<Model, 'head' | 'softcap'>,
  parameters: TracedParameters,
  x_NC: Tensor,
  { targets, weights }: Readonly<Record<string, Tensor>>,
): Tensor {
  const head = model.head(parameters);
  const { softcap } = model;
  const noise = parameters[INT8]?.noise;
  // Scores that are bent have no exponentials that their products could be made of.
  if (noise && softcap === undefined) return linearCrossEntropyInt8(x_NC, head, targets!, noise, weights);
  return linearCrossEntropy(x_NC, head, targets!, { softcap, weights });
}
