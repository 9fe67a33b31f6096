import { describe, expect, it } from 'vitest';
import { threadOptions } from './create.js';
import { contribution, MACHINES } from './play.test-support.js';
import { decideGathering, decideRound } from './quorum.js';
import type { Member, MemberStatus, OpenRound, RoundOptions, WorkerState, WorkerStatus } from './types.js';

const STATUS: Record<string, MemberStatus> = { t: 'training', c: 'contributed', l: 'left', r: 'refused' };

/** Members by one letter each (`t`, `c`, `l`, `r`); upper case: does not count for the quorum. */
function round(letters: string, quorumAt: number | null, norms: number[] = [], patience = 100): OpenRound {
  const members = [...letters].map((letter, i): Member => {
    const worker = `w${i}`;
    const status = STATUS[letter.toLowerCase()]!;
    const delivered = status === 'contributed' ? { ...contribution(worker, 1, 'h'), norm: norms[i] ?? 1 } : null;
    const counted = letter === letter.toLowerCase();
    const due = { steps: 1, weight: null, counted, patience, lateness: 0 };
    return { worker, incarnation: 1, ...due, status, contribution: delivered };
  });
  return { round: 1, openedAt: 0, quorumAt, members };
}

const decide = (open: OpenRound, options: RoundOptions, now: number, workers: readonly WorkerState[] = []) =>
  decideRound({ open, options, workers, heardAt: 0, committed: { round: 0, hash: 'h' }, gaveUp: 0 }, now);
const threads = threadOptions(2, 1);
const two: Partial<RoundOptions> = { minimumMembers: 2 };

describe('decideRound', () => {
  it.each([
    // Threads: all or nothing, whatever the time.
    { members: 'tt', options: threads, now: 0, is: 'wait', until: null },
    { members: 'ct', options: threads, now: 1e12, is: 'wait', until: null },
    { members: 'cc', options: threads, now: 0, is: 'merge' },
    { members: 'cl', options: threads, now: 0, is: 'abort', because: '1 of 2 members are left, the least is 2' },
    { members: 'cr', options: threads, now: 0, is: 'abort' },
    // Machines: quorum 0.5, grace 100, round 5000.
    { members: 'tttt', now: 0, is: 'wait', quorum: false, until: 5000 },
    { members: 'cttt', now: 0, is: 'wait', quorum: false, until: 5000 },
    { members: 'cctt', now: 10, is: 'wait', quorum: true, until: 5000 },
    { members: 'cctt', quorumAt: 10, now: 109, is: 'wait', quorum: true, until: 110 },
    { members: 'cctt', quorumAt: 10, now: 110, is: 'merge', because: 'the grace of 100 ms is over' },
    { members: 'cccc', quorumAt: 10, now: 11, is: 'merge', because: 'all 4 members have contributed' },
    { members: 'cctt', quorumAt: 4950, now: 5000, is: 'merge', because: "the round's 5000 ms are over" },
    { members: 'cttt', now: 4999, is: 'wait', quorum: false, until: 5000 },
    { members: 'cttt', now: 5000, is: 'abort', because: '1 of 4 members have contributed, 2 are required' },
    // Each leave counts: it completes the round, lowers the quorum, or makes it impossible.
    { members: 'cclt', now: 0, is: 'wait', quorum: true },
    { members: 'cltl', now: 0, is: 'wait', quorum: true },
    { members: 'clll', now: 0, is: 'merge' },
    { members: 'llll', now: 0, is: 'abort', because: '0 of 4 members are left' },
    { members: 'clll', options: two, now: 0, is: 'abort' },
    // The idle count for nothing, but are welcome.
    { members: 'cTTT', now: 0, is: 'wait', quorum: true },
    { members: 'tCTT', now: 0, is: 'wait', quorum: false },
    { members: 'lCTT', now: 0, is: 'wait', quorum: true },
    { members: 'tCTT', now: 5000, is: 'merge' },
    { members: 'tTTT', now: 5000, is: 'abort' },
    // No rounding error: 0.55 of 100 is 55, not 56.
    { members: 'c'.repeat(55) + 't'.repeat(45), options: { quorum: 0.55 }, now: 0, is: 'wait', quorum: true },
    { members: 'c'.repeat(54) + 't'.repeat(46), options: { quorum: 0.55 }, now: 0, is: 'wait', quorum: false },
    // Grace 0, no grace, no time-out.
    { members: 'ct', patience: 0, quorumAt: 7, now: 7, is: 'merge' },
    { members: 'ct', options: { grace: null }, quorumAt: 7, now: 4999, is: 'wait', until: 5000 },
    { members: 'ct', options: { grace: null }, quorumAt: 7, now: 5000, is: 'merge' },
    { members: 'ct', options: { grace: null, roundTimeout: null }, quorumAt: 7, now: 1e9, is: 'wait', until: null },
    // Outliers are put out before the merge, then it is decided again.
    { members: 'ccc', norms: [1, 2, 21], now: 0, is: 'refuse', because: '10 times' },
    { members: 'ccr', norms: [1, 2, 21], now: 0, is: 'merge' },
    { members: 'ccc', norms: [1, 2, 21], options: { outlierFactor: null }, now: 0, is: 'merge' },
  ])(
    '$members at $now: $is',
    ({ members, options = {}, quorumAt = null, norms = [], patience = 100, now, is, ...want }) => {
      const decision = decide(round(members, quorumAt, norms, patience), { ...MACHINES, ...options }, now);
      expect(decision.action).toBe(is);
      if ('because' in want) expect(decision.reason).toContain(want.because);
      if ('quorum' in want) expect(decision).toMatchObject({ quorum: want.quorum });
      if ('until' in want) expect(decision).toMatchObject({ until: want.until });
      if (decision.action === 'refuse') expect(decision.workers).toEqual(['w2']);
    },
  );

  it('gives a round up that newcomers alone keep from its quorum while others are ready, once between commits', () => {
    const worker = (name: string, credit: number | null): WorkerState => ({
      ...{ worker: name, incarnation: 1, status: 'ready', lastSeen: 0, missed: 0, credit, lateness: 0 },
      ...{ heals: 0, stepsPerSecond: null },
    });
    const open = round('cTT', null);
    const options = { ...MACHINES, minimumMembers: 2 };
    const [own, newcomers, others] = [worker('w0', 9), [worker('w1', null), worker('w2', null)], worker('x', 9)];
    const state = { open, options, heardAt: 30, committed: { round: 4, hash: 'h' }, gaveUp: 0 };
    const decide = (workers: readonly WorkerState[], now: number, changes: Partial<typeof state> = {}) =>
      decideRound({ ...state, ...changes, workers }, now);
    // As long again as who has contributed took, but no longer than the grace of 100 ms.
    expect(decide([own, ...newcomers, others], 0)).toMatchObject({ action: 'wait', quorum: false, until: 60 });
    expect(decide([own, ...newcomers, others], 0, { heardAt: 500 })).toMatchObject({ until: 600 });
    expect(decide([own, ...newcomers, others], 60)).toMatchObject({ action: 'abort', late: true, gaveUp: true });
    // Nobody else could do it; one who has contributed before owes; it was given up already since the last commit.
    expect(decide([own, ...newcomers], 60)).toMatchObject({ action: 'wait', until: 5000 });
    expect(decide([own, newcomers[0]!, worker('w2', 1), others], 60)).toMatchObject({ action: 'wait', until: 5000 });
    expect(decide([own, ...newcomers, others], 60, { gaveUp: 5 })).toMatchObject({ action: 'wait', until: 5000 });
    expect(decide([own, ...newcomers, others], 60, { gaveUp: 4 })).toMatchObject({ action: 'abort' });
  });

  it('blames the late only where time ran out', () => {
    expect(decide(round('ttl', null), MACHINES, 5000)).toMatchObject({ action: 'abort', late: true });
    expect(decide(round('ll', null), MACHINES, 0)).toMatchObject({ action: 'abort', late: false });
  });
});

describe('decideGathering', () => {
  const STATUSES: Record<string, WorkerStatus> = { j: 'joined', s: 'syncing', r: 'ready' };
  it.each([
    { workers: '', now: 0, is: 'wait', reports: false, until: null },
    { workers: 'jjj', now: 1e9, is: 'wait', reports: false, until: null },
    { workers: 'r', now: 0, is: 'open' },
    { workers: 'rjj', now: 0, is: 'open' },
    { workers: 'rs', now: 99, is: 'wait', reports: true, until: 100 },
    { workers: 'rs', now: 100, is: 'open' },
    { workers: 'ss', now: 100, is: 'wait', reports: true, until: null },
    { workers: 'rs', options: threadOptions(1, 1), now: 1e9, is: 'wait', reports: true, until: null },
    { workers: 'r', options: threadOptions(2, 1), now: 1e9, is: 'wait', reports: false, until: null },
    { workers: 'rs', options: { grace: null }, now: 5000, is: 'open' },
    { workers: 'rs', stopping: true, now: 0, is: 'wait', reports: true, until: 100 },
    { workers: 'rs', stopping: true, now: 100, is: 'stop' },
    { workers: 'rrj', stopping: true, now: 0, is: 'stop' },
    { workers: '', stopping: true, now: 0, is: 'stop' },
  ])('$workers at $now: $is', ({ workers, options = {}, stopping = false, now, is, ...want }) => {
    const rest = { reportedAt: 0, lost: 0, pace: 0 };
    const list = [...workers].map((letter, i) => ({
      worker: `w${i}`,
      incarnation: 1,
      status: STATUSES[letter]!,
      lastSeen: 0,
      missed: 0,
      credit: null,
      lateness: 0,
      heals: 0,
      stepsPerSecond: null,
    }));
    const decision = decideGathering(
      { ...rest, options: { ...MACHINES, ...options }, workers: list, since: 0, stopping },
      now,
    );
    expect(decision).toMatchObject({ action: is, ...want });
  });
});
