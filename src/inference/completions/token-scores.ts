import type { ScoredToken } from './completion.js';

/**
 * A token as it was scored, with the likeliest in its place.
 *
 * @param logits scores by id
 * @param top how many of the likeliest
 */
export function scoreToken(logits: Float32Array, id: number, top: number): ScoredToken {
  const best = likeliestIds(logits, Math.max(1, top));
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

/** The ids of the largest scores, the largest first; of equal ones the lower id. */
export function likeliestIds(logits: Float32Array, count: number): number[] {
  const best: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    const score = logits[id]!;
    if (best.length === count && score <= logits[best.at(-1)!]!) continue;
    let at = best.length;
    while (at > 0 && logits[best[at - 1]!]! < score) at--;
    best.splice(at, 0, id);
    if (best.length > count) best.pop();
  }
  return best;
}
