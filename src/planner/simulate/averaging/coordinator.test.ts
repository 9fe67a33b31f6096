import { describe, expect, it } from 'vitest';
import { TimedEvents } from '../event-queue.js';
import { hashOf, LAYOUT, RUN, TimedCoordinator } from './coordinator.js';
import type { AveragingSpec } from './spec.js';

const replica = { stepsPerSecond: 1, up: 1e6, down: 1e6 };
const spec: AveragingSpec = {
  replicas: [replica, replica, { ...replica, joins: 50 }],
  rounds: 2,
  steps: 10,
  contributionBytes: 0,
  resultBytes: 0,
  merge: 3,
  grace: 7,
  roundTimeout: 100,
};

/** A coordinator whose workers are played by hand; what it says, with the time. */
function coordinate(over: Partial<AveragingSpec> = {}) {
  const queue = new TimedEvents();
  const log: string[] = [];
  const say = (what: string) => log.push(`${queue.now} ${what}`);
  const coordinator = new TimedCoordinator(
    queue,
    { ...spec, ...over },
    {
      send: (worker, _, { type }) => say(`${type} to ${worker}`),
      opened: (round, members) => say(`round ${round} opens with ${members}`),
      merging: ({ round, contributions, totalWeight }) =>
        say(`round ${round} merges ${contributions.length}, of ${totalWeight}`),
      ended: (round, how) => say(`${how} of round ${round}`),
    },
  );
  const from = (worker: string) => ({ run: RUN, worker, incarnation: 1 });
  return {
    queue,
    log,
    coordinator,
    join(worker: string) {
      coordinator.handle({ type: 'join', ...from(worker), layoutHash: LAYOUT, stepsPerSecond: null });
    },
    report(worker: string, round: number, closed: number) {
      coordinator.handle({ type: 'report', ...from(worker), round, closed, hash: hashOf(round) });
    },
    contribute(worker: string, round: number, base: number) {
      coordinator.handle({
        type: 'contribution',
        ...from(worker),
        round,
        tokens: 5,
        weight: 5,
        steps: 10,
        seconds: 10,
        baseHash: hashOf(base),
        layoutHash: LAYOUT,
        length: 1,
        finite: true,
        norm: 1,
        contentHash: `${worker} ${round}`,
      });
    },
  };
}

describe('Coordinator', () => {
  it('opens the first round when all are ready that are there from the start, and merges in its time', () => {
    const { queue, log, join, report, contribute } = coordinate();
    join('a');
    join('b');
    report('a', 0, 0);
    expect(log).toEqual(['0 welcome to a', '0 welcome to b']);
    report('b', 0, 0);
    contribute('a', 1, 0);
    contribute('b', 1, 0);
    queue.step();
    while (queue.now < 3 && queue.step()) {}
    expect(log.slice(2)).toEqual([
      '0 round 1 opens with 2',
      '0 startRound to a',
      '0 startRound to b',
      '0 accepted to a',
      '0 accepted to b',
      '0 round 1 merges 2, of 10',
      '3 commit of round 1',
      '3 commit to a',
      '3 commit to b',
    ]);
  });

  it('ends the grace on the virtual clock: a straggler is left out', () => {
    const { queue, log, join, report, contribute } = coordinate();
    for (const worker of ['a', 'b']) join(worker);
    for (const worker of ['a', 'b']) report(worker, 0, 0);
    queue.at(20, () => contribute('a', 1, 0));
    while (queue.now < 30 && queue.step()) {}
    expect(log).toContain('27 round 1 merges 1, of 5');
    expect(log).toContain('30 commit of round 1');
  });

  it('aborts a round without quorum at its time-out, and says what is waited for', () => {
    const { queue, log, coordinator, join, report } = coordinate({ minimumMembers: 2 });
    expect(coordinator.waiting).toBe('members, so that round 1 opens with those that are ready');
    for (const worker of ['a', 'b']) join(worker);
    for (const worker of ['a', 'b']) report(worker, 0, 0);
    expect(coordinator.waiting).toMatch(/^contributions, so that round 1 is aborted/);
    while (queue.now < 100 && queue.step()) {}
    expect(log).toContain('100 abort of round 1');
    expect(log).toContain('100 abort to a');
  });
});
