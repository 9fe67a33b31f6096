import { describe, expect, it } from 'vitest';
import { find } from '../order.js';
import { tick } from '../tick.js';
import type { RoundsState } from '../types.js';
import type { Machine } from './coordinator.js';
import { randomSchedule, type ScheduleKind } from './schedule.js';
import { simulate } from './simulate.js';

/** The first violation in some schedules, or null. */
function firstViolation(machine: Machine, kind: ScheduleKind, schedules = 300): string | null {
  for (let seed = 0; seed < schedules; seed++) {
    try {
      simulate(randomSchedule(seed, kind), machine);
    } catch (error) {
      return String(error);
    }
  }
  return null;
}

const committedHash = (state: RoundsState) => state.committed.hash;

/** Machines with one rule broken each, and what the simulation must say about them. */
const broken: { rule: string; kind: ScheduleKind; finds: RegExp; machine: Machine }[] = [
  {
    rule: 'a leave does not re-evaluate the round',
    kind: 'steady',
    finds: /stuck: training/,
    machine: (state, event, now) => {
      const step = tick(state, event, now);
      if (event.type !== 'leave' || state.phase !== 'training' || step.state.phase === 'training') return step;
      const workers = state.workers.filter(({ worker }) => worker !== event.worker);
      return { ...step, state: { ...state, workers }, effects: [] };
    },
  },
  {
    rule: 'future rounds are accepted',
    kind: 'steady',
    finds: /a contribution to round \d+ counted while \d+ was open/,
    machine: (state, event, now) =>
      tick(
        state,
        event.type === 'contribution' && state.open && event.round > state.open.round
          ? { ...event, round: state.open.round }
          : event,
        now,
      ),
  },
  {
    rule: 'any hash is believed',
    kind: 'steady',
    finds: /divergence/,
    machine: (state, event, now) =>
      tick(state, event.type === 'report' ? { ...event, hash: committedHash(state) } : event, now),
  },
  {
    rule: 'an idle connection is a participant',
    kind: 'steady',
    finds: /stuck|divergence/,
    machine: (state, event, now) => {
      const step = tick(state, event, now);
      if (event.type !== 'join') return step;
      const workers = step.state.workers.map((worker) => ({ ...worker, status: 'ready' as const }));
      return { ...step, state: { ...step.state, workers } };
    },
  },
  {
    rule: 'contributions are summed in the order of arrival',
    kind: 'steady',
    finds: /out of replica order/,
    machine: (state, event, now) => {
      const step = tick(state, event, now);
      const effects = step.effects.map((effect) =>
        effect.type === 'merge' ? { ...effect, contributions: [...effect.contributions].reverse() } : effect,
      );
      return { ...step, effects };
    },
  },
  {
    rule: 'a worker that reports other parameters makes them the truth',
    kind: 'steady',
    finds: /report changed what is committed/,
    machine: (state, event, now) =>
      event.type === 'report' && event.hash !== committedHash(state)
        ? tick({ ...state, committed: { ...state.committed, hash: event.hash } }, event, now)
        : tick(state, event, now),
  },
  {
    rule: 'an aborted number is used again',
    kind: 'chaos',
    finds: /not monotonic/,
    machine: (state, event, now) => {
      const step = tick(state, event, now);
      const aborted = step.effects.some(({ type }) => type === 'abort') && step.state.phase === 'gathering';
      return aborted ? { ...step, state: { ...step.state, round: state.committed.round } } : step;
    },
  },
  {
    rule: 'the dead stay members for ever',
    kind: 'chaos',
    finds: /stuck/,
    machine: (state, event, now) =>
      tick(
        { ...state, options: { ...state.options, heartbeatTimeout: null, roundTimeout: null, grace: null } },
        event,
        now,
      ),
  },
  {
    rule: 'a restarted coordinator repeats nothing',
    kind: 'chaos',
    finds: /stuck/,
    machine: (state, event, now) =>
      event.type === 'restart' ? { state, effects: [], reason: '' } : tick(state, event, now),
  },
  {
    rule: 'a restarted coordinator goes back to the round before',
    kind: 'chaos',
    finds: /lost commit|changed what is committed|after that of round/,
    machine: (state, event, now) => {
      const round = state.committed.round - 1;
      const old = event.type === 'restart' && round >= 0 ? { ...state, committed: { round, hash: '00005eed' } } : state;
      return tick(old, event, now);
    },
  },
];

describe('the simulation finds a machine in which', () => {
  it.each(broken)('$rule', ({ machine, kind, finds }) => {
    expect(firstViolation(machine, kind)).toMatch(finds);
  });

  it('nothing is broken: none is found', () => {
    expect(firstViolation(tick, 'steady')).toBeNull();
    expect(firstViolation(tick, 'chaos', 100)).toBeNull();
  });

  it('names the seed', () => {
    expect(firstViolation(broken[1]!.machine, 'steady')).toMatch(/^Violation: seed \d+, at \d+ ms: /);
  });
});

describe('heartbeats behind tensors (rule 9)', () => {
  const schedule = { ...randomSchedule(1, 'steady'), damage: 0, transfer: 3000, actions: [] as never[] };
  const options = { ...schedule.options, minimumMembers: 2, heartbeatTimeout: 1000, roundTimeout: 60_000, grace: 5000 };
  const actions = [0, 1].map((at) => ({
    at,
    action: { type: 'join', character: 'honest', speed: 0.1 } as const,
  }));

  it('a transfer of three time-outs throws nobody out while heartbeats have their own line', () => {
    const { thrownOut, aborts } = simulate({ ...schedule, options, actions });
    expect({ thrownOut, aborts }).toEqual({ thrownOut: 0, aborts: 0 });
  });

  it('the same transfer throws living workers out when heartbeats wait behind it', () => {
    expect(() => simulate({ ...schedule, options, actions, sharedLine: true })).toThrow(/stuck/);
  });
});

it('a machine under test sees frozen members only', () => {
  const machine: Machine = (state, event, now) => {
    const step = tick(state, event, now);
    const [a, b] = [state.open, step.state.open];
    if (a && b && a.round === b.round)
      expect(b.members.map(({ worker }) => worker)).toEqual(a.members.map(({ worker }) => worker));
    if (b) for (const { worker } of b.members) expect(find(b.members, worker)!.worker).toBe(worker);
    return step;
  };
  expect(firstViolation(machine, 'chaos', 30)).toBeNull();
});
