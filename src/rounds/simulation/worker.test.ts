import { describe, expect, it } from 'vitest';
import { MACHINES } from '../play.test-support.js';
import type { SimulatedMessage } from './cargo.js';
import { hashModel } from './model.js';
import { type Character, SimulatedWorker, type Surroundings } from './worker.js';
import { WELCOME, world, ZERO } from './world.test-support.js';

const start = {
  type: 'startRound',
  ...{ round: 1, base: ZERO, steps: 10, fragment: 0, next: null },
} as const satisfies SimulatedMessage;
const ABORT: SimulatedMessage = { ...WELCOME, type: 'abort', closed: 1, round: 1, reason: '' };

function live(character: Character, changes: Partial<Surroundings> = {}) {
  const { surroundings, ...rest } = world(MACHINES);
  const worker = new SimulatedWorker({ ...surroundings, ...changes }, 'w', 1, 1, character);
  return { worker, ...rest };
}

describe('a simulated worker', () => {
  it('joins, downloads, reports, trains and contributes', () => {
    const { worker, said, until } = live('honest');
    expect(said.map(({ type }) => type)).toEqual(['join']);
    worker.receive(1, WELCOME);
    expect(until(4)).toEqual([]);
    expect(until(5)).toEqual(['report']);
    expect(said[0]).toMatchObject({ round: 0, closed: 0, hash: ZERO.hash });
    worker.receive(1, start);
    worker.receive(1, start);
    expect(until(1000)).toEqual(['contribution']);
    expect(said[0]).toMatchObject({ round: 1, steps: 10, tokens: 640, seconds: 0.01, baseHash: ZERO.hash });
  });

  it('drops a round that is over, and starts none that is', () => {
    const { worker, until } = live('honest');
    worker.receive(1, WELCOME);
    until(5);
    worker.receive(1, start);
    worker.receive(1, ABORT);
    worker.receive(1, start);
    expect(until(1000)).toEqual(['report']);
  });

  it('takes the committed parameters again when its own are damaged', () => {
    const { worker, said, until } = live('honest', { damage: 1 });
    worker.receive(1, WELCOME);
    until(5);
    expect(said[0]).toMatchObject({ type: 'report', hash: hashModel(worker.parameters!) });
    expect(hashModel(worker.parameters!)).not.toBe(ZERO.hash);
    worker.receive(1, { ...WELCOME, type: 'heal' });
    expect(until(9)).toEqual([]);
    expect(until(10)).toEqual(['report']);
  });

  it('repeats a contribution with its heartbeats until it is accepted', () => {
    const { worker, until } = live('honest', { heartbeatEvery: 100 });
    worker.receive(1, WELCOME);
    until(5);
    worker.receive(1, start);
    expect(until(30)).toEqual(['contribution']);
    expect(until(100)).toEqual(['heartbeat', 'contribution']);
    worker.receive(1, { type: 'accepted', round: 1 });
    expect(until(200)).toEqual(['heartbeat']);
  });

  it('joins as a new incarnation when it is thrown out, and not after its end', () => {
    const { worker, said } = live('honest');
    worker.receive(1, { type: 'evict', reason: '', banned: false });
    expect(said.at(-1)).toMatchObject({ type: 'join', incarnation: 2 });
    expect(worker.thrownOut).toBe(1);
    worker.leave();
    worker.leave();
    expect(said.filter(({ type }) => type === 'leave')).toHaveLength(1);
  });

  it('when odd, is odd as described', () => {
    const idle = live('idle', { heartbeatEvery: 10 });
    idle.worker.receive(1, WELCOME);
    expect(idle.until(1000)).toEqual([]);

    const fresh = live('fresh');
    fresh.worker.receive(1, WELCOME);
    expect(fresh.said[1]).toMatchObject({ type: 'report', hash: expect.not.stringMatching(ZERO.hash) });

    const early = live('early');
    early.worker.receive(1, WELCOME);
    early.until(5);
    early.worker.receive(1, start);
    early.until(1000);
    expect(early.said.map((message) => 'round' in message && message.round)).toEqual([1, 2]);

    const stubborn = live('stubborn');
    stubborn.worker.receive(1, WELCOME);
    stubborn.until(5);
    stubborn.worker.receive(1, start);
    stubborn.until(6);
    stubborn.worker.receive(1, ABORT);
    stubborn.until(9);
    expect(stubborn.said.at(-1)).toMatchObject({ type: 'report', hash: expect.not.stringMatching(ZERO.hash) });
    expect(hashModel(stubborn.worker.parameters!)).not.toBe(ZERO.hash);
    stubborn.worker.receive(1, { ...ABORT, type: 'heal' });
    expect(hashModel(stubborn.worker.parameters!)).toBe(ZERO.hash);
  });
});
