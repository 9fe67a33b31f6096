import { describe, expect, it } from 'vitest';
import type { Cargo, MemberInput, MemberState, MessageToMember } from './member/types.js';
import { BEYOND } from './member/work.js';
import { createMember, memberTick, waitOf } from './member.js';
import { randomSchedule, simulate } from './simulation/index.js';

interface Plain extends Cargo {
  readonly chain: string;
  readonly work: { readonly steps: number };
  readonly contribution: { readonly of: number };
  readonly reduction: object;
  readonly sum: { readonly value: number };
}
type Event = MemberInput<Plain>;
type Message = MessageToMember<Plain>;

const H0 = { round: 0, hash: 'h0' };
const H1 = { round: 1, hash: 'h1' };
const hear = (message: Message, incarnation = 1): Event => ({ type: 'heard', incarnation, message });
const standing = { committed: H0, closed: 0, chain: 'to 0' };
const welcome = hear({ type: 'welcome', ...standing });
const commit = hear({ type: 'commit', committed: H1, closed: 1, chain: 'to 1' });
const abort = hear({ type: 'abort', ...standing, closed: 1, round: 1, reason: 'too few' });
const heal = hear({ type: 'heal', committed: { ...H0, hash: 'right' }, closed: 0, chain: 'to 0' });
const stopped = hear({ type: 'stopped', ...standing });
const start = hear({ type: 'startRound', round: 1, base: H0, steps: 2, next: null });
const startAhead = hear({ type: 'startRound', round: 1, base: H0, steps: 2, next: { steps: 3 } });
const start2 = hear({ type: 'startRound', round: 2, base: H1, steps: 3, next: null });
const startAfterAbort = hear({ type: 'startRound', round: 2, base: H0, steps: 3, next: null });
const evict = hear({ type: 'evict', reason: 'silent', banned: false });
const ban = hear({ type: 'evict', reason: 'bad', banned: true });
const refuse = (code: string, about = 'heartbeat') => hear({ type: 'refuse', about, code, reason: code });
const reduce = (shards: number[], attempt = 'x') => hear({ type: 'reduce', round: 1, attempt, shards });
const took = (held: { round: number; hash: string }, whole = false): Event => ({ type: 'took', held, whole });
const trained = (round = 1, finite = true): Event => ({ type: 'trained', round, finite });
const stored: Event = { type: 'stored', round: 1, contribution: { of: 1 } };
const full: Event = { type: 'notStored', round: 1, full: true, reason: 'no room' };
const lost: Event = { type: 'notStored', round: 1, full: false, reason: 'no answer' };
const beat: Event = { type: 'beat' };

/** Plays events, and tells what the last one brought, with what was sent and told by its own type. */
function play(...events: Event[]) {
  let state: MemberState<Plain> = createMember(1, 1);
  let did: string[] = [];
  let reason = '';
  for (const event of events) {
    const step = memberTick(state, freeze(event));
    state = freeze(step.state);
    reason = step.reason;
    did = step.effects.map((effect) => {
      if (effect.type === 'send') return `say ${effect.message.type} as ${effect.incarnation}`;
      if (effect.type === 'tell') return `tell ${effect.news.type}`;
      if (effect.type === 'end') return `end ${effect.ended}`;
      if (effect.type === 'fail') return `fail ${effect.why}`;
      if (effect.type === 'train') return `train ${effect.round}`;
      return effect.type === 'reduce' ? `reduce ${effect.shards}` : effect.type;
    });
  }
  return { state, did, reason };
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.values(value).forEach(freeze);
  return Object.freeze(value);
}

const JOINING: readonly Event[] = [{ type: 'start' }];
const READY: readonly Event[] = [...JOINING, welcome, took(H0, true), { type: 'caughtUp' }, { type: 'rolledBack' }];
const TRAINING: readonly Event[] = [...READY, start];
const STORING: readonly Event[] = [...TRAINING, trained()];
const AHEAD: readonly Event[] = [...READY, startAhead, trained(), stored];

/** How a member comes to each of its states. */
const STATES = {
  joining: JOINING,
  'catching up': [...JOINING, welcome],
  ready: READY,
  training: TRAINING,
  storing: STORING,
  contributed: [...STORING, stored],
  ahead: AHEAD,
  suspended: [...TRAINING, refuse('suspended')],
  'ahead after its commit': [...AHEAD, { type: 'mixable', round: 2 }, commit, took(H1), { type: 'caughtUp' }],
} satisfies Record<string, readonly Event[]>;
type Name = keyof typeof STATES;

const TABLE: Record<Name, readonly (readonly [what: string, events: readonly Event[], does: readonly string[]])[]> = {
  joining: [
    ['asks again', [beat], ['say join as 1']],
    ['is welcomed', [welcome], ['catchUp']],
    ['is refused', [refuse('wrong-layout', 'join')], ['tell refused', 'fail refused']],
    ['starts nothing', [start], []],
    ['is told that the run is over', [refuse('stopped', 'join')], ['end finished']],
    ['hears a message to another life', [hear({ type: 'welcome', ...standing }, 2)], []],
  ],
  'catching up': [
    ['starts nothing before it holds', [start], []],
    ['holds', [took(H0, true), { type: 'caughtUp' }], ['tell committed', 'rollBack']],
    ['reports once it is back', [took(H0, true), { type: 'caughtUp' }, { type: 'rolledBack' }], ['say report as 1']],
    ['is cut off', [{ type: 'cutOff', reason: 'gone' }], ['tell cutOff', 'rollBack']],
    ['tries again', [{ type: 'cutOff', reason: 'gone' }, { type: 'rolledBack' }, welcome], ['catchUp']],
    ['goes on to what is committed meanwhile', [commit, took(H0), { type: 'caughtUp' }], ['tell committed', 'catchUp']],
    ['goes there once', [welcome], []],
    ['leaves', [{ type: 'leave', reason: 'told to' }], ['say leave as 1', 'end left']],
  ],
  ready: [
    ['is alive', [beat], ['say heartbeat as 1']],
    ['says again what it holds', [welcome], ['say report as 1']],
    ['trains', [start], ['tell training', 'train 1']],
    ['takes what is committed', [commit], ['catchUp']],
    ['heals', [heal], ['catchUp']],
    ['hears that a round is void', [abort], ['tell aborted', 'say report as 1']],
    ['says nothing to an old word', [abort, welcome], []],
    ['starts no round that is over', [abort, start], []],
    ['starts from no other base', [start2], []],
    ['joins as a new life', [evict], ['tell rejoining', 'say join as 2']],
    ['joins when it is unknown', [refuse('unknown-worker')], ['tell rejoining', 'say join as 2']],
    ['joins when it is of old', [refuse('old-incarnation')], ['tell rejoining', 'say join as 2']],
    ['joins when it is too new', [refuse('new-incarnation')], ['tell rejoining', 'say join as 2']],
    [
      'joins when its coordinator has forgotten a round',
      [abort, refuse('future-round', 'report')],
      ['tell refused', 'tell rejoining', 'say join as 2'],
    ],
    ['knows then what that one knows', [abort, evict, hear({ type: 'welcome', ...standing }, 2)], ['say report as 2']],
    ['is banned', [ban], ['end evicted']],
    ['is shut out', [{ type: 'shutOut' }], ['end evicted']],
    ['has finished', [stopped], ['say report as 1', 'end finished']],
    ['fails', [{ type: 'failed', reason: 'no memory' }], ['fail broken']],
    ['sums', [reduce([0, 2, 2])], ['reduce 0,2']],
    ['sums what it has not summed', [reduce([0]), reduce([0, 1])], ['reduce 1']],
    ['sums for another attempt', [reduce([0]), reduce([0], 'y')], ['stopReducing', 'reduce 0']],
    ['sums nothing that is over', [abort, reduce([0])], []],
  ],
  training: [
    ['goes on', [start], []],
    ['contributes', [trained()], ['store']],
    ['stops for an abort', [abort], ['stopTraining', 'tell aborted']],
    ['is back once it has stopped', [abort, { type: 'halted', round: 1 }], ['rollBack']],
    ['says so then', [abort, { type: 'halted', round: 1 }, { type: 'rolledBack' }], ['say report as 1']],
    ['may have been done before it stopped', [abort, trained()], ['rollBack']],
    ['is too late', [commit], ['stopTraining']],
    ['takes what came without it', [commit, { type: 'halted', round: 1 }], ['catchUp']],
    ['loses its life', [evict], ['stopTraining', 'tell rejoining', 'say join as 2']],
    ['is suspended', [refuse('suspended')], ['stopTraining', 'tell suspended']],
    ['leaves', [{ type: 'leave', reason: 'told to' }], ['say leave as 1', 'end left']],
  ],
  storing: [
    ['has stored', [stored], ['say contribution as 1', 'tell contributed']],
    ['stops for an abort', [abort], ['stopStoring', 'tell aborted', 'rollBack']],
    ['is too late', [commit], ['stopStoring', 'catchUp']],
    ['was too late', [abort, stored], []],
    ['has no room', [full], ['tell notStored']],
    ['has no answer', [lost], ['tell notStored', 'stopStoring', 'rollBack']],
    ['does the round again', [lost, { type: 'rolledBack' }, start], ['tell training', 'train 1']],
    ['loses its life', [evict], ['stopStoring', 'tell rejoining', 'say join as 2', 'rollBack']],
  ],
  contributed: [
    ['says it again', [beat], ['say heartbeat as 1', 'say contribution as 1']],
    ['need not', [hear({ type: 'accepted', round: 1 }), beat], ['say heartbeat as 1']],
    [
      'must, for another round',
      [hear({ type: 'accepted', round: 0 }), beat],
      ['say heartbeat as 1', 'say contribution as 1'],
    ],
    ['was refused', [refuse('outlier', 'contribution'), beat], ['say heartbeat as 1']],
    ['forgets it after an abort', [abort, { type: 'rolledBack' }, beat], ['say heartbeat as 1']],
    ['takes the result', [commit], ['catchUp']],
    ['starts no round while its own is open', [startAfterAbort], ['rollBack']],
    ['leaves', [{ type: 'leave', reason: 'told to' }], ['say leave as 1', 'end left']],
  ],
  ahead: [
    ['takes no result before τ', [commit], []],
    ['takes it then', [commit, { type: 'mixable', round: 2 }], ['catchUp']],
    ['stops for an abort', [abort], ['stopTraining', 'tell aborted']],
    [
      'starts anew after it',
      [abort, { type: 'halted', round: 2 }, { type: 'rolledBack' }, startAfterAbort],
      ['tell training', 'train 2'],
    ],
    ['stops when the round after is over too', [hear({ ...commitOf(2), closed: 2 })], ['stopTraining']],
    ['stops when the round was void and the next one is', [hear({ ...commitOf(0), closed: 2 })], ['stopTraining']],
    ['loses its life', [evict], ['stopTraining', 'tell rejoining', 'say join as 2']],
  ],
  suspended: [
    ['goes back', [{ type: 'halted', round: 1 }], ['rollBack']],
    ['knocks now and then', [beat, beat, beat], []],
    ['knocks as a new life', [beat, beat, beat, beat], ['say join as 2']],
    ['is told once', [refuse('suspended')], []],
    [
      'may come back',
      [
        beat,
        beat,
        beat,
        beat,
        { type: 'halted', round: 1 },
        { type: 'rolledBack' },
        hear({ type: 'welcome', ...standing }, 2),
      ],
      ['say report as 2'],
    ],
    ['leaves', [{ type: 'leave', reason: 'told to' }], ['say leave as 1', 'end left']],
  ],
  'ahead after its commit': [
    ['goes on in the next round', [start2], ['tell training']],
    ['contributes what was begun', [start2, trained(2)], ['store']],
    ['contributes what was done', [trained(2), start2], ['tell training', 'store']],
    ['loses what it did by a snapshot', [hear(commitOf(2)), took({ round: 2, hash: 'h2' }, true)], []],
    ['stops when that round is void', [hear({ ...commitOf(1), closed: 2 })], ['stopTraining']],
    ['hears an old word', [welcome], []],
  ],
};

function commitOf(round: number) {
  return { type: 'commit', committed: { round, hash: `h${round}` }, closed: round, chain: `to ${round}` } as const;
}

describe.each(Object.keys(TABLE) as Name[])('a member that is %s', (name) => {
  it.each(TABLE[name])('%s', (_, events, does) => {
    const { did, reason } = play(...STATES[name], ...events);
    expect(did).toEqual(does);
    expect(reason).not.toBe('');
  });
});

describe('memberTick', () => {
  it('gives up after so many contributions in a row beyond its storage, and not before', () => {
    let events: Event[] = [...STATES.ready];
    for (let round = 1; round <= BEYOND; round++) {
      const begun = hear({ type: 'startRound', round, base: H0, steps: 2, next: null });
      const over = hear({ type: 'abort', ...standing, closed: round, round, reason: '' });
      events = [...events, begun, trained(round), { ...full, round } as Event];
      expect(play(...events).did).toEqual(round < BEYOND ? ['tell notStored'] : ['fail full']);
      events = [...events, over, { type: 'rolledBack' }];
    }
  });

  it('ends once, and says nothing then', () => {
    const { state } = play(...STATES.ready, ban);
    for (const event of [beat, welcome, start, stored, { type: 'leave', reason: '' } as const])
      expect(memberTick(state, event)).toMatchObject({ state, effects: [] });
  });

  it('takes the last parameters before it ends', () => {
    const last = hear({ ...commitOf(1), type: 'stopped' });
    expect(play(...STATES.contributed, last).did).toEqual(['catchUp']);
    const end = [took(H1), { type: 'caughtUp' }, { type: 'rolledBack' }] as const;
    expect(play(...STATES.contributed, last, ...end).did).toEqual(['say report as 1', 'end finished']);
  });

  it('says what it waits for', () => {
    const waits = Object.fromEntries(
      Object.entries(STATES).map(([name, events]) => [name, waitOf(play(...events).state).what]),
    );
    expect(waits).toEqual({
      joining: 'an answer to its request to join',
      'catching up': 'the parameters of round 0',
      ready: 'the next round',
      training: 'its steps of round 1',
      storing: 'the upload of its contribution to round 1',
      contributed: "the others' contributions to round 1",
      ahead: "the others' contributions to round 1",
      suspended: 'the end of its suspension',
      'ahead after its commit': 'the next round',
    });
  });

  it('is pure: never changes a state, is the same for the same, survives JSON, and has a reason', () => {
    let ticks = 0;
    for (let seed = 0; seed < 20; seed++)
      simulate(randomSchedule(seed, 'chaos'), undefined, (state, event) => {
        ticks++;
        const step = memberTick(freeze(state), freeze(event));
        expect(memberTick(JSON.parse(JSON.stringify(state)), event)).toEqual(step);
        expect(step.reason).not.toBe('');
        return step;
      });
    expect(ticks).toBeGreaterThan(1000);
  });
});
