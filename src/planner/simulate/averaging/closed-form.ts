import type { AveragingSpec } from './spec.js';

/**
 * Rounds · (H/s + (n − 1)/n·(contribution/up + result/down) + merge + 4·latency), after all have fetched the state;
 * lines narrower at the far end count instead of up and down.
 */
export function averagingClosedForm(spec: AveragingSpec): number | null {
  const [first] = spec.replicas;
  const { latency = 0, jitter = 0, straggling, meanTimeBetweenFailures = Number.POSITIVE_INFINITY } = spec;
  const even = spec.replicas.every(
    ({ stepsPerSecond, up, down, joins = 0, leaves, fails = [] }) =>
      stepsPerSecond === first!.stepsPerSecond &&
      up === first!.up &&
      down === first!.down &&
      joins === 0 &&
      leaves === undefined &&
      fails.length === 0,
  );
  const lucky = jitter === 0 && !straggling && meanTimeBetweenFailures === Number.POSITIVE_INFINITY;
  if (!even || !lucky) return null;
  const { up, down, stepsPerSecond } = first!;
  const n = spec.replicas.length;
  const others = (n - 1) / n;
  const narrow = Math.min(up, down);
  const state =
    (spec.stateBytes ?? spec.resultBytes) / Math.min(down, (spec.storeBandwidth ?? Number.POSITIVE_INFINITY) / n);
  const exchange = (others * (spec.contributionBytes + spec.resultBytes)) / narrow;
  const round = spec.steps / stepsPerSecond + exchange + (spec.merge ?? 0) + 4 * latency;
  return 3 * latency + state + spec.rounds * round;
}
