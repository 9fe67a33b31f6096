import { describe, expect, it } from 'vitest';
import { contribution, from, MACHINES } from '../play.test-support.js';
import { tick } from '../tick.js';
import { SimulatedCoordinator } from './coordinator.js';
import { hashModel, stepModel, sumShard } from './model.js';
import { Monitor } from './monitor.js';
import { INITIAL, world, ZERO } from './world.test-support.js';

function lead() {
  const { network, store, until } = world({ ...MACHINES, heartbeatTimeout: 1000 });
  const sent: string[] = [];
  const coordinator = new SimulatedCoordinator({
    machine: tick,
    store,
    network,
    monitor: new Monitor(store, () => []),
    send: (worker, _, message) => sent.push(`${message.type} to ${worker}`),
    ...{ mergeTime: 10, fragments: 1, shards: 0 },
  });
  const open = () => {
    coordinator.handle({ ...from('w'), type: 'join', layoutHash: 'layout', stepsPerSecond: null });
    coordinator.handle({ ...from('w'), type: 'report', round: 0, closed: 0, hash: ZERO.hash });
  };
  const contribute = () => {
    store.contributions.set('content of w in 1', { value: 7, base: ZERO.hash, rounds: [1] });
    coordinator.handle(contribution('w', 1, ZERO.hash));
  };
  return { coordinator, store, sent, until, open, contribute };
}

const merged = hashModel(stepModel(INITIAL, 0, [sumShard([{ value: 7, weight: 640 }], 0)]));

describe('a simulated coordinator', () => {
  it('stores, sends, merges and commits', () => {
    const { store, sent, until, open, contribute } = lead();
    open();
    contribute();
    until(10);
    expect(sent).toEqual(['welcome to w', 'startRound to w', 'accepted to w', 'commit to w']);
    expect(store.state.committed).toEqual({ round: 1, hash: merged });
    expect(store.commits).toEqual([ZERO, { round: 1, hash: merged }]);
  });

  it('dies between storing and sending, and loses nothing', () => {
    const { coordinator, store, sent, until, open, contribute } = lead();
    open();
    coordinator.dieWithNext = true;
    contribute();
    until(500);
    expect([coordinator.alive, sent.length, store.state.phase]).toEqual([false, 2, 'merging']);
    coordinator.restart(-100_000);
    until(510);
    expect(store.state.committed.hash).toBe(merged);
  });

  it('keeps its timers by its own clock', () => {
    const { coordinator, store, until, open } = lead();
    open();
    coordinator.crash();
    coordinator.restart(50_000);
    until(999);
    expect(store.state.workers).toHaveLength(1);
    until(1000);
    expect(store.state.workers).toHaveLength(0);
  });

  it('fails a merge when told, which aborts the round', () => {
    const { coordinator, store, until, open, contribute } = lead();
    open();
    coordinator.failMerges = 1;
    contribute();
    until(10);
    expect([coordinator.aborts, store.state.committed.round]).toEqual([1, 0]);
  });
});
