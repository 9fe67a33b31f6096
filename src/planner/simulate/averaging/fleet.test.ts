import { describe, expect, it } from 'vitest';
import { Random } from '../../../base/random.js';
import { TimedEvents } from '../event-queue.js';
import { Fleet } from './fleet.js';
import { Line } from './lines.js';
import { TimedReplica } from './replica.js';
import type { AveragingSpec, ReplicaSpec } from './spec.js';

function watch(replicaSpecs: readonly ReplicaSpec[], over: Partial<AveragingSpec> = {}) {
  const spec: AveragingSpec = {
    replicas: replicaSpecs,
    rounds: 1,
    steps: 1,
    contributionBytes: 0,
    resultBytes: 0,
    detection: 4,
    repair: 20,
    ...over,
  };
  const queue = new TimedEvents();
  const log: string[] = [];
  const say = (what: string) => log.push(`${queue.now} ${what}`);
  const line = new Line(queue, 1);
  const replicas = replicaSpecs.map(
    (each, i) =>
      new TimedReplica(
        {
          queue,
          spec,
          lines: { reduce: line, gather: line, store: line },
          send: ({ type, incarnation }) => say(`${type} ${i}.${incarnation}`),
          baseOf: () => undefined,
          spent: () => {},
          trained: () => {},
          moved: () => {},
        },
        i,
        each,
        new Random(1),
      ),
  );
  const fleet = new Fleet(spec, queue, replicas, {
    note: ({ number }, what) => say(`${what} of ${number}`),
    died: (worker, incarnation) => say(`${worker}.${incarnation} is missed`),
    resized: (up, down) => say(`lines ${up} ${down}`),
  });
  fleet.schedule();
  const run = (until: number) => {
    queue.at(until, () => {});
    while (queue.now < until && queue.step()) {}
    return log;
  };
  return { fleet, run };
}

describe('Fleet', () => {
  it('joins, leaves, fails and repairs as planned', () => {
    const { fleet, run } = watch([
      { stepsPerSecond: 1, up: 10, down: 100, fails: [5] },
      { stepsPerSecond: 1, up: 1, down: 2, joins: 3, leaves: 8 },
    ]);
    expect(run(30)).toEqual([
      '0 join 0.1',
      '0 join of 0',
      '0 lines 10 100',
      '3 join 1.1',
      '3 join of 1',
      '3 lines 11 102',
      '5 failure of 0',
      '5 lines 1 2',
      '8 leave of 1',
      '8 leave 1.1',
      '8 lines 0 0',
      '9 replica-0.1 is missed',
      '25 join 0.2',
      '25 join of 0',
      '25 lines 10 100',
    ]);
    expect(fleet.alive).toBe(1);
  });

  it('brings no one back after the time to leave', () => {
    const { fleet, run } = watch([{ stepsPerSecond: 1, up: 1, down: 1, fails: [5], leaves: 10 }]);
    expect(run(100).filter((line) => line.includes('join of'))).toEqual(['0 join of 0']);
    expect(fleet.alive).toBe(0);
  });

  it('fails at random as often as the mean time says', () => {
    const { run } = watch([{ stepsPerSecond: 1, up: 1, down: 1 }], { meanTimeBetweenFailures: 80, repair: 20 });
    // Up 80 s and down 20 s on average: 1,000 failures in 100,000 s.
    const failures = run(100_000).filter((line) => line.endsWith('failure of 0')).length;
    expect(failures).toBeGreaterThan(900);
    expect(failures).toBeLessThan(1100);
  });
});
