import { contributionBytes, exchangeBytes } from './outer-bytes.js';
import type { AveragingMethod, ReplicaLink, RoundTime } from './types.js';

/**
 * Predicts a round: H inner steps, and the exchange of each fragment, of which `overlapSteps` steps hide a part.
 *
 * Without overlap a round is `H t + T`; a fragment of P that may travel for τ steps is waited for
 * `max(0, T / P − τ t)`, so a round is `H t + P max(0, T / P − τ t)` (arXiv 2501.18512, section 3.2). A per-step
 * exchange of gradients that hides behind the backward pass is H = 1, P = 1, τ = 2/3.
 *
 * @param replicas how many are averaged
 * @param parameters elements of the model
 * @param stepSeconds an inner step of one replica
 * @param link what one replica has of the network
 */
export function roundTime(
  replicas: number,
  parameters: number,
  stepSeconds: number,
  link: ReplicaLink,
  method: AveragingMethod,
): RoundTime {
  const bytes = exchangeBytes(contributionBytes(parameters, method), replicas);
  const latency = latencySeconds(replicas, link.latency);
  const compute = method.innerSteps * stepSeconds;
  const fragment = bytes / method.fragments / link.bandwidth + latency;
  const hidden = method.overlapSteps * stepSeconds;
  const exposed = replicas === 1 ? 0 : method.fragments * Math.max(0, fragment - hidden);
  const seconds = compute + exposed;
  return {
    seconds,
    compute,
    exposed,
    exchange: replicas === 1 ? 0 : method.fragments * fragment,
    bytes,
    bandwidthToHide: bandwidthToHide(bytes / method.fragments, hidden - latency),
    utilization: compute / seconds,
  };
}

/** Messages one after another of a reduce-scatter and an all-gather by recursive halving and doubling: 2 log2 M. */
function latencySeconds(replicas: number, latency: number): number {
  return 2 * Math.ceil(Math.log2(replicas)) * latency;
}

function bandwidthToHide(bytes: number, seconds: number): number {
  if (bytes === 0) return 0;
  return seconds > 0 ? bytes / seconds : Number.POSITIVE_INFINITY;
}

/**
 * The least bandwidth of a replica at which it computes for a given share of the time.
 *
 * @param utilization above 0 and below 1
 * @returns bytes a second; infinite when latency alone takes more than the rest of the time
 */
export function bandwidthFor(
  utilization: number,
  replicas: number,
  parameters: number,
  stepSeconds: number,
  latency: number,
  method: AveragingMethod,
): number {
  const bytes = exchangeBytes(contributionBytes(parameters, method), replicas) / method.fragments;
  const allowed = (method.innerSteps * stepSeconds * (1 / utilization - 1)) / method.fragments;
  return bandwidthToHide(bytes, allowed + method.overlapSteps * stepSeconds - latencySeconds(replicas, latency));
}
