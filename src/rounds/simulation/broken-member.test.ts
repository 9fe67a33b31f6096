import { describe, expect, it } from 'vitest';
import type { MemberEffect } from '../member/types.js';
import { memberTick } from '../member.js';
import { tick } from '../tick.js';
import type { MemberMachine, SimulatedCargo } from './cargo.js';
import { randomSchedule, type ScheduleKind } from './schedule.js';
import { simulate } from './simulate.js';

/** The first violation in some schedules, or null. */
function firstViolation(member: MemberMachine, kind: ScheduleKind, schedules: number): string | null {
  for (let seed = 0; seed < schedules; seed++) {
    try {
      simulate(randomSchedule(seed, kind), tick, member);
    } catch (error) {
      return String(error);
    }
  }
  return null;
}

type Effects = readonly MemberEffect<SimulatedCargo>[];

/** A machine that does not hear of something. */
const deafTo =
  (is: (event: Parameters<MemberMachine>[1]) => boolean): MemberMachine =>
  (state, event) =>
    is(event) ? { state, effects: [], reason: '' } : memberTick(state, event);

const refusedAs = (...codes: string[]) =>
  deafTo((event) => event.type === 'heard' && event.message.type === 'refuse' && codes.includes(event.message.code));

/** A machine whose steps are changed afterwards. */
const changed =
  (
    change: (before: Parameters<MemberMachine>[0], step: ReturnType<MemberMachine>) => Partial<typeof step>,
  ): MemberMachine =>
  (state, event) => {
    const step = memberTick(state, event);
    return { ...step, ...change(state, step) };
  };

const without = (effects: Effects, type: Effects[number]['type']) => effects.filter((effect) => effect.type !== type);
const isAbort = (event: Parameters<MemberMachine>[1]) => event.type === 'heard' && event.message.type === 'abort';

/** Members' machines with one rule broken each, and what the simulation must say about them. */
const broken: { rule: string; kind: ScheduleKind; finds: RegExp; machine: MemberMachine }[] = [
  {
    rule: "does not join again as 'unknown-worker'",
    kind: 'chaos',
    finds: /stuck|gone for good/,
    machine: refusedAs('unknown-worker'),
  },
  {
    rule: 'ignores that it is evicted',
    kind: 'steady',
    finds: /banned: .* go on/,
    machine: deafTo((event) => event.type === 'heard' && event.message.type === 'evict'),
  },
  {
    rule: 'never asks again once it is suspended',
    kind: 'chaos',
    finds: /stuck|gone for good|banned/,
    machine: (state, event) =>
      state.life === 'suspended' && event.type === 'beat'
        ? { state, effects: [], reason: '' }
        : memberTick(state, event),
  },
  {
    rule: 'keeps its pending contribution after an abort',
    kind: 'chaos',
    finds: /contributes to round \d+, which is over/,
    machine: (state, event) => {
      const step = memberTick(state, event);
      return isAbort(event) ? { ...step, state: { ...step.state, pending: state.pending } } : step;
    },
  },
  {
    rule: 'does not go back after an abort',
    kind: 'steady',
    finds: /from parameters other than|contributes steps of rounds/,
    machine: (state, event) =>
      memberTick(isAbort(event) && state.training === null ? { ...state, dirty: false } : state, event),
  },
  {
    rule: 'goes on ahead after an abort',
    kind: 'steady',
    finds: /contributes steps of rounds/,
    machine: (state, event) => {
      const { ahead, training, holds } = state;
      if (event.type === 'heard' && event.message.type === 'startRound' && ahead?.round === event.message.round) {
        // As if the round before had been committed.
        const base = { round: ahead.round - 1, hash: holds!.hash };
        const message = { ...event.message, base };
        const step = memberTick({ ...state, holds: base }, { ...event, message });
        return { ...step, state: { ...step.state, holds } };
      }
      const step = memberTick(state, event);
      const dropped = ahead !== null && step.state.ahead === null && ahead.round > step.state.closed;
      if (!isAbort(event) || !dropped) return step;
      return { ...step, state: { ...step.state, ahead, training }, effects: without(step.effects, 'stopTraining') };
    },
  },
  {
    rule: 'answers a merge with the sums of the one before',
    kind: 'steady',
    finds: /false sum/,
    machine: (state, event) => {
      const { reducing } = state;
      const asked = event.type === 'heard' && event.message.type === 'reduce' ? event.message : null;
      if (asked === null || reducing === null) {
        const step = memberTick(state, event);
        return { ...step, state: { ...step.state, reducing: step.state.reducing ?? reducing } };
      }
      const { round, attempt } = asked;
      const shards = Object.fromEntries(
        Object.entries(reducing.shards).map(([shard, sum]) => [shard, sum && { ...sum, round, attempt }]),
      );
      return memberTick({ ...state, reducing: { round, attempt, shards } }, event);
    },
  },
  {
    rule: 'mixes the last result in before τ',
    kind: 'steady',
    finds: /takes parameters while it trains in \d+, before τ/,
    machine: (state, event) => {
      const { training } = state;
      return memberTick(training ? { ...state, training: { ...training, mixable: true } } : state, event);
    },
  },
  {
    rule: 'reports a hash before it holds the parameters',
    kind: 'steady',
    finds: /reports .* and holds/,
    machine: changed((before, { state, effects }) => {
      const target = state.target?.committed;
      if (before.target !== null || !target) return {};
      const message = { type: 'report', ...target, closed: state.closed } as const;
      return { effects: [...effects, { type: 'send', incarnation: state.incarnation, message }] };
    }),
  },
  {
    rule: 'does not try again to catch up',
    kind: 'chaos',
    finds: /stuck|gone for good/,
    machine: (state, event) => {
      const step = memberTick(state, event);
      return event.type === 'cutOff'
        ? { ...step, state: { ...step.state, target: state.target, taking: 'chain' } }
        : step;
    },
  },
  {
    rule: 'contributes twice to a round',
    kind: 'steady',
    finds: /twice, with other content/,
    machine: (state, event) => {
      const step = memberTick(state, event);
      if (event.type !== 'stored') return step;
      const contribution = { ...event.contribution, contentHash: `${event.contribution.contentHash}+` };
      const again = {
        type: 'send',
        incarnation: state.incarnation,
        message: { type: 'contribution', contribution },
      } as const;
      return { ...step, effects: [...step.effects, again] };
    },
  },
  {
    rule: 'hears what was said to an earlier life',
    kind: 'chaos',
    finds: /was not told to/,
    machine: (state, event) =>
      memberTick(state, event.type === 'heard' ? { ...event, incarnation: state.incarnation } : event),
  },
];

describe('the simulation finds a member that', () => {
  it.each(broken)('$rule', ({ machine, kind, finds }) => {
    expect(firstViolation(machine, kind, 600)).toMatch(finds);
  });

  it('has nothing wrong: none is found', () => {
    expect(firstViolation(memberTick, 'steady', 100)).toBeNull();
    expect(firstViolation(memberTick, 'chaos', 100)).toBeNull();
  });
});
