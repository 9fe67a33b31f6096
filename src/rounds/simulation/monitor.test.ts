import { describe, expect, it } from 'vitest';
import type { Effect, RoundsEvent } from '../events.js';
import { contribution, from, MACHINES, Play } from '../play.test-support.js';
import type { RoundsState } from '../types.js';
import { Monitor } from './monitor.js';
import { SimulatedStore } from './store.js';
import { SimulatedWorker } from './worker.js';
import { INITIAL, world, ZERO } from './world.test-support.js';

const timer: RoundsEvent = { type: 'timer' };
const before: RoundsState = { ...new Play(MACHINES).state, committed: ZERO };
const part = (worker: string) => ({ ...contribution(worker, 1, ZERO.hash), worker, incarnation: 1 });
const merge = (...workers: string[]): Effect => ({
  type: 'merge',
  round: 1,
  base: ZERO,
  contributions: workers.map(part),
  totalWeight: 1,
});
const start = (round: number, base = ZERO): Effect => ({
  type: 'startRound',
  to: [],
  round,
  base,
  members: [{ worker: 'w', incarnation: 1, steps: 1 }],
});
const commit = (round: number, hash: string): RoundsState => ({ ...before, committed: { round, hash } });

function watch() {
  const { surroundings } = world(MACHINES);
  const store = new SimulatedStore(before, INITIAL);
  const worker = new SimulatedWorker(surroundings, 'w', 1, 1, 'honest');
  worker.host.load(INITIAL);
  for (const [name, base] of [
    ['a', ZERO.hash],
    ['b', ZERO.hash],
    ['c', 'another'],
  ] as const)
    store.contributions.set(`content of ${name} in 1`, { value: 1, base, rounds: [1] });
  return { store, worker, monitor: new Monitor(store, () => [worker]) };
}

describe('the monitor', () => {
  it('is content with what is right', () => {
    const { store, monitor } = watch();
    store.parameters.set('h1', [1]);
    monitor.check(before, timer, before, [start(1)]);
    monitor.check(before, timer, before, [merge('a', 'b')]);
    monitor.check(before, { type: 'merged', round: 1, hash: 'h1' }, commit(1, 'h1'), []);
    expect(store.commits.map(({ round }) => round)).toEqual([0, 1]);
  });

  it.each<{ name: string; event?: RoundsEvent; after?: RoundsState; effects?: Effect[]; says: string }>([
    { name: 'a commit out of nowhere', after: commit(1, ZERO.hash), says: 'timer changed what is committed' },
    {
      name: 'a commit that goes back',
      event: { type: 'merged', round: 0, hash: 'x' },
      after: commit(0, ZERO.hash),
      says: 'commit of round 0 after that of round 0',
    },
    {
      name: 'a commit of nothing',
      event: { type: 'merged', round: 1, hash: 'x' },
      after: commit(1, 'x'),
      says: 'its parameters are not stored',
    },
    { name: 'a round that comes again', effects: [start(0)], says: 'not monotonic' },
    {
      name: 'a round from elsewhere',
      effects: [start(1, { round: 0, hash: 'x' })],
      says: 'other than the last commit',
    },
    { name: 'another order', effects: [merge('b', 'a')], says: 'out of replica order' },
    { name: 'another base', effects: [merge('a', 'c')], says: 'divergence: c trained from another in 1' },
    { name: 'an empty merge', effects: [merge()], says: 'merged from 0 contributions' },
    {
      name: 'a contribution to a round that is not open',
      event: { ...contribution('a', 5, ZERO.hash), ...from('a') },
      effects: [{ type: 'accepted', to: [], round: 5 }],
      says: 'a contribution to round 5 counted',
    },
  ])('objects to $name', ({ event = timer, after = before, effects = [], says }) => {
    expect(() => watch().monitor.check(before, event, after, effects)).toThrow(says);
  });

  it('sees the real parameters of a member', () => {
    const { worker, monitor } = watch();
    worker.host.load([1]);
    expect(() => monitor.check(before, timer, before, [start(1)])).toThrow('divergence: w holds 00000001');
  });

  it('knows when all of the run hold the same', () => {
    const { store, worker, monitor } = watch();
    const known = { status: 'ready', lastSeen: 0, missed: 0, heals: 0, stepsPerSecond: null } as const;
    const bare = { credit: null, lateness: 0 } as const;
    store.state = { ...before, workers: [{ worker: 'w', incarnation: 1, ...known, ...bare }] };
    expect(monitor.allHold()).toBe(true);
    worker.host.load([1]);
    expect(monitor.allHold()).toBe(false);
    worker.crash();
    expect(monitor.allHold()).toBe(true);
  });
});
