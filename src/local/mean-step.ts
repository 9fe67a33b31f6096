import type { StepDone } from './messages.js';

/**
 * The mean loss over the targets of several steps, of one replica or of several. Steps of as many targets each count as
 * one each, to the bit.
 */
export function lossOfSteps(steps: readonly Pick<StepDone, 'loss' | 'weight'>[]): number {
  const shares = steps.map(({ weight }) => weight / steps[0]!.weight);
  return sum(steps.map(({ loss }, i) => loss * shares[i]!)) / sum(shares);
}

/** The targets of several steps. */
export function weightOfSteps(steps: readonly Pick<StepDone, 'weight'>[]): number {
  return sum(steps.map(({ weight }) => weight));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
