import { describe, expect, it } from 'vitest';
import { MACHINES } from '../play.test-support.js';
import { hashModel } from './model.js';
import { type Character, SimulatedWorker, type Surroundings } from './worker.js';
import { WELCOME, world, ZERO } from './world.test-support.js';

const me = { worker: 'w', incarnation: 1 };
const start = {
  type: 'startRound',
  to: [me],
  round: 1,
  base: ZERO,
  members: [{ ...me, steps: 10 }],
} as const;

function live(character: Character, changes: Partial<Surroundings> = {}) {
  const { surroundings, ...rest } = world(MACHINES);
  const worker = new SimulatedWorker({ ...surroundings, ...changes }, 'w', 1, 1, character);
  return { worker, ...rest };
}

describe('a simulated worker', () => {
  it('joins, downloads, reports, trains and contributes', () => {
    const { worker, said, until } = live('honest');
    expect(said.map(({ type }) => type)).toEqual(['join']);
    worker.receive(WELCOME);
    expect(until(4)).toEqual([]);
    expect(until(5)).toEqual(['report']);
    expect(said[0]).toMatchObject({ round: 0, closed: 0, hash: ZERO.hash });
    worker.receive(start);
    worker.receive(start);
    expect(until(1000)).toEqual(['contribution']);
    expect(said[0]).toMatchObject({ round: 1, steps: 10, tokens: 640, seconds: 0.01, baseHash: ZERO.hash });
  });

  it('drops a round that is over, and starts none that is', () => {
    const { worker, until } = live('honest');
    worker.receive(WELCOME);
    until(5);
    worker.receive(start);
    worker.receive({ type: 'abort', to: [me], committed: ZERO, closed: 1, round: 1, reason: '' });
    worker.receive(start);
    expect(until(1000)).toEqual([]);
  });

  it('takes the committed parameters again when its own are damaged', () => {
    const { worker, said, until } = live('honest', { damage: 1 });
    worker.receive(WELCOME);
    until(5);
    expect(said[0]).toMatchObject({ type: 'report', hash: hashModel(worker.parameters!) });
    expect(hashModel(worker.parameters!)).not.toBe(ZERO.hash);
    worker.receive({ ...WELCOME, type: 'heal', reason: '' });
    expect(until(9)).toEqual([]);
    expect(until(10)).toEqual(['report']);
  });

  it('repeats a contribution with its heartbeats until it is accepted', () => {
    const { worker, until } = live('honest', { heartbeatEvery: 100 });
    worker.receive(WELCOME);
    until(5);
    worker.receive(start);
    expect(until(30)).toEqual(['contribution']);
    expect(until(100)).toEqual(['heartbeat', 'contribution']);
    worker.receive({ type: 'accepted', to: [me], round: 1 });
    expect(until(200)).toEqual(['heartbeat']);
  });

  it('joins as a new incarnation when it is thrown out, and not after its end', () => {
    const { worker, said } = live('honest');
    worker.receive({ type: 'evict', to: [me], reason: '' });
    expect(said.at(-1)).toMatchObject({ type: 'join', incarnation: 2 });
    expect(worker.thrownOut).toBe(1);
    worker.leave();
    worker.leave();
    expect(said.filter(({ type }) => type === 'leave')).toHaveLength(1);
  });

  it('when odd, is odd as described', () => {
    const idle = live('idle', { heartbeatEvery: 10 });
    idle.worker.receive(WELCOME);
    expect(idle.until(1000)).toEqual([]);

    const fresh = live('fresh');
    fresh.worker.receive(WELCOME);
    expect(fresh.said[1]).toMatchObject({ type: 'report', hash: expect.not.stringMatching(ZERO.hash) });

    const early = live('early');
    early.worker.receive(WELCOME);
    early.until(5);
    early.worker.receive(start);
    early.until(1000);
    expect(early.said.map((message) => 'round' in message && message.round)).toEqual([1, 2]);

    const stubborn = live('stubborn');
    stubborn.worker.receive(WELCOME);
    stubborn.until(5);
    stubborn.worker.receive(start);
    stubborn.worker.receive({ type: 'abort', to: [me], committed: ZERO, closed: 1, round: 1, reason: '' });
    expect(hashModel(stubborn.worker.parameters!)).not.toBe(ZERO.hash);
  });
});
