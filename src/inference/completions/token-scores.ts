import { likeliestIds } from '../sampler.js';
import type { ScoredToken } from './completion.js';

/**
 * A token as it was scored, with the likeliest in its place.
 *
 * @param logits scores by id
 * @param top how many of the likeliest
 */
export function scoreToken(logits: Float32Array, id: number, top: number): ScoredToken {
  // The likeliest first; of equal ones the first.
  const best = [...likeliestIds(logits, Math.max(1, top))].sort((a, b) => logits[b]! - logits[a]! || a - b);
  const largest = logits[best[0]!]!;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i]! - largest);
  const whole = largest + Math.log(sum);
  return {
    id,
    logprob: logits[id]! - whole,
    top: best.slice(0, top).map((each) => ({ id: each, logprob: logits[each]! - whole })),
  };
}
