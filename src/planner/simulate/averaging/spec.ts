import { UsageError } from '../../../base/errors.js';
import { demandsOf, isCount, isNotNegative, isPositive } from '../demand.js';

/** One replica: a machine, or a part of one. */
export interface ReplicaSpec {
  /** Inner steps a second. */
  readonly stepsPerSecond: number;
  /** Bytes a second of its line. */
  readonly up: number;
  readonly down: number;
  /** When it joins, and when it leaves of its own will; 0 and never. */
  readonly joins?: number;
  readonly leaves?: number;
  /** When it fails without a word. It may fail at random as well. */
  readonly fails?: readonly number[];
}

/** A run of averaging rounds. Times in seconds. */
export interface AveragingSpec {
  readonly replicas: readonly ReplicaSpec[];
  /** Rounds to commit. */
  readonly rounds: number;
  /** H: inner steps of a replica in a round; with `adaptive`, of one of median speed. */
  readonly steps: number;
  /** Whether each replica's H follows its speed. true */
  readonly adaptive?: boolean;
  /** Of one inner step of a replica. 1 */
  readonly tokensPerStep?: number;
  /** Bytes of a whole contribution, of a whole merged vector, and of all that a joiner needs. */
  readonly contributionBytes: number;
  readonly resultBytes: number;
  readonly stateBytes?: number;
  /** Bytes a second of the store from which joiners fetch; without limit where not given. */
  readonly storeBandwidth?: number;
  /** Of any message. 0 */
  readonly latency?: number;
  /** From the last contribution to the commit. 0 */
  readonly merge?: number;
  /** Share of the members that must contribute. 0.5 */
  readonly quorum?: number;
  /** How long the others are waited for then, and after a commit. 10, and what the narrowest line needs for the result */
  readonly grace?: number;
  /** After which a round is committed with its quorum or aborted. 600, or four times what the slowest needs for its H */
  readonly roundTimeout?: number;
  /** No round but the first, which waits for all that join at the start, waits for more than this. 1 */
  readonly minimumMembers?: number;
  /** Standard deviation of a replica's log speed, drawn anew each round. 0 */
  readonly jitter?: number;
  /** In a round a replica is this much slower with this probability. */
  readonly straggling?: { readonly probability: number; readonly factor: number };
  /** Mean time between random failures of one replica; never where not given. */
  readonly meanTimeBetweenFailures?: number;
  /** From a failure until the coordinator takes the replica for dead, and until it joins again. 10 s, 60 s */
  readonly detection?: number;
  readonly repair?: number;
  readonly seed?: number;
}

/** Rounds times the square of replicas: each tick of the machine looks at all of them. A minute or two. */
const MOST_WORK = 3e8;
const MOST_REPLICAS = 20_000;

/** The grace of a spec that names none: nobody may be left behind for the width of its line alone. */
export function graceOf({ grace, replicas, resultBytes }: AveragingSpec): number {
  return grace ?? 10 + resultBytes / Math.min(...replicas.map(({ down }) => down));
}

/** The round's time-out of a spec that names none. */
export function roundTimeoutOf({ roundTimeout, replicas, steps, contributionBytes }: AveragingSpec): number {
  const slowest = replicas.map(({ stepsPerSecond, up }) => steps / stepsPerSecond + contributionBytes / up);
  return roundTimeout ?? Math.max(600, 4 * Math.max(...slowest));
}

/** @throws UsageError naming what is out of range or absurdly large */
export function checkAveraging(spec: AveragingSpec): void {
  const demand = demandsOf('A simulated run');
  const { replicas, rounds, steps } = spec;
  demand(
    'number of replicas',
    replicas.length >= 1 && replicas.length <= MOST_REPLICAS,
    `from 1 to ${MOST_REPLICAS}`,
    replicas.length,
  );
  demand('number of rounds', isCount(rounds), 'a whole number from 1', rounds);
  demand('inner steps', isCount(steps), 'a whole number from 1', steps);
  demand('tokens of a step', isCount(spec.tokensPerStep ?? 1), 'a whole number from 1', spec.tokensPerStep);
  for (const name of [
    'contributionBytes',
    'resultBytes',
    'stateBytes',
    'latency',
    'merge',
    'grace',
    'detection',
    'repair',
  ] as const)
    demand(name, isNotNegative(spec[name] ?? 0), 'from 0', spec[name]);
  for (const name of ['storeBandwidth', 'roundTimeout', 'meanTimeBetweenFailures'] as const)
    demand(name, (spec[name] ?? 1) > 0, 'above 0', spec[name]);
  demand('jitter', (spec.jitter ?? 0) >= 0 && (spec.jitter ?? 0) <= 3, 'from 0 to 3', spec.jitter);
  const { probability, factor } = spec.straggling ?? { probability: 0, factor: 1 };
  demand('probability of straggling', probability >= 0 && probability <= 1, 'from 0 to 1', probability);
  demand('factor of straggling', isPositive(factor) && factor >= 1, 'from 1', factor);
  for (const { stepsPerSecond, up, down, joins = 0, leaves = 0, fails = [] } of replicas) {
    demand('speed of a replica', isPositive(stepsPerSecond), 'steps a second above 0', stepsPerSecond);
    demand('line of a replica', isPositive(up) && isPositive(down), 'bytes a second above 0', `${up} up, ${down} down`);
    for (const time of [joins, leaves, ...fails])
      demand('time of a join, leave or failure', isNotNegative(time), 'seconds from 0', time);
  }
  demand('least number of members', isCount(spec.minimumMembers ?? 1), 'a whole number from 1', spec.minimumMembers);
  if (rounds * replicas.length ** 2 > MOST_WORK)
    throw new UsageError(
      `${rounds} rounds of ${replicas.length} replicas are too many to simulate: rounds times the square of replicas may be ${MOST_WORK}. Take fewer rounds; they are alike.`,
    );
}
