import { expect, it } from 'vitest';
import { Play } from './coordinator.test-support.js';
import { knownNames, MOST_NAMES, makeRoom } from './names.js';

const join = (worker: string, incarnation = 0) =>
  ({
    type: 'event',
    event: { type: 'join', run: 'r', worker, incarnation, layoutHash: 'layout', stepsPerSecond: null },
  }) as const;
const leave = (worker: string) =>
  ({ type: 'event', event: { type: 'leave', run: 'r', worker, incarnation: 0, reason: 'enough' } }) as const;
const evict = (worker: string) => ({ type: 'event', event: { type: 'evict', worker, reason: 'odd' } }) as const;

it('who leaves is forgotten, who is silent or thrown out is not', () => {
  const play = new Play();
  play.happen({ type: 'admitted', host: 'box', workers: ['box-1', 'box-2', 'box-3', 'box-4'] });
  for (const worker of ['box-1', 'box-2', 'box-3']) play.happen(join(worker));
  play.happen(leave('box-1'));
  play.happen(evict('box-2'));
  play.now = 1e9;
  play.happen({ type: 'event', event: { type: 'timer' } });
  expect(play.state.rounds.workers).toEqual([]);
  expect([...knownNames(play.state)]).toEqual(['box-2', 'box-3', 'box-4']);
  expect(play.state.hosts).toEqual({ 'box-2': 'box', 'box-3': 'box', 'box-4': 'box' });
  expect(play.state.rounds.departed.map(({ worker }) => worker)).toEqual(['box-2', 'box-3']);
  // A farewell of one that lives on under a later incarnation changes nothing.
  play.happen(join('box-3', 1));
  play.happen(leave('box-3'));
  expect(play.state.rounds.workers.map(({ worker }) => worker)).toEqual(['box-3']);
  expect(knownNames(play.state).has('box-3')).toBe(true);
});

it('the state is bounded, whoever asks to come', () => {
  const play = new Play();
  for (let i = 0; i < 3 * MOST_NAMES; i += 256) {
    const workers = Array.from({ length: 256 }, (_, k) => `w-${i + k + 1}`);
    play.happen({ type: 'admitted', host: 'crowd', workers });
    if (i === 0) for (const worker of ['w-1', 'w-2', 'w-3']) play.happen(join(worker));
    if (i === 0) play.happen(evict('w-3'));
    expect(knownNames(play.state).size).toBeLessThanOrEqual(MOST_NAMES);
  }
  expect(play.state.next).toBe(3 * MOST_NAMES + 1);
  const known = knownNames(play.state);
  expect(known.size).toBe(MOST_NAMES);
  for (const [worker, kept] of [
    ['w-1', true],
    ['w-2', true],
    ['w-3', false],
    ['w-4', false],
  ] as const)
    expect(known.has(worker), worker).toBe(kept);
  expect(known.has(`w-${3 * MOST_NAMES}`)).toBe(true);
  expect(play.state.rounds.evicted).toEqual(['w-3']);
});

it('those that never came go first, members never', () => {
  const play = new Play();
  const names = Array.from({ length: MOST_NAMES }, (_, i) => `w-${i + 1}`);
  play.happen({ type: 'admitted', host: 'crowd', workers: names });
  for (const worker of ['w-1', 'w-10', 'w-9']) play.happen(join(worker));
  play.now = 1e9;
  play.happen({ type: 'event', event: { type: 'timer' } });
  play.happen(join('w-2'));
  expect(makeRoom(play.state, 3)).toEqual(['w-3', 'w-4', 'w-5']);
  expect(makeRoom(play.state, MOST_NAMES - 1)!.slice(-3)).toEqual(['w-1', 'w-9', 'w-10']);
  expect(makeRoom(play.state, MOST_NAMES)).toBeUndefined();
});
