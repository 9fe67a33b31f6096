import type { HostArray } from '../engine/engine.js';
import { mul, reduceSum, type Tensor } from '../graph/index.js';
import type { TracedParameters } from '../model/architecture.js';
import type { Model } from '../model/model.js';
import { tokenLosses } from './causal/token-losses.js';
import { lowWords } from './low-words.js';
import type { Score } from './objective.js';

/** What an evaluation of told tokens says: their mean loss, and how many of them the model would have told. */
export const LOSS_AND_ACCURACY = [
  { name: 'loss', better: 'lower' },
  { name: 'accuracy', better: 'higher' },
] as const;

/**
 * The loss of targets [N] after hidden states [N, C], summed by their weights [N], and the likeliest token of each.
 *
 * @param feeds `targets` and `weights` among others
 */
export function judgeTargets(
  model: Model,
  parameters: TracedParameters,
  x_NC: Tensor,
  feeds: Readonly<Record<string, Tensor>>,
): Readonly<Record<'loss' | 'predictions', Tensor>> {
  const { losses, predictions } = tokenLosses(model, parameters, x_NC, feeds.targets!);
  return { loss: reduceSum(mul(losses, feeds.weights!), [0]), predictions };
}

/** Sums up a loss and the targets that are the likeliest tokens, over those that have a weight. */
export function scoreTargets(
  arrays: Readonly<Record<string, HostArray>>,
  { loss, predictions }: Readonly<Record<string, HostArray>>,
): Score {
  const targets = lowWords(arrays.targets as BigInt64Array);
  let [weight, accuracy] = [0, 0];
  for (const [n, counts] of (arrays.weights as Float32Array).entries()) {
    weight += counts;
    if (counts > 0 && predictions![n] === targets[2 * n]) accuracy++;
  }
  return { weight, sums: { loss: loss![0] as number, accuracy } };
}
