import { expect, it } from 'vitest';
import { MACHINES } from '../play.test-support.js';
import { INITIAL, world, ZERO } from './world.test-support.js';

it('the store begins with the initial parameters as the first commit', () => {
  const { store } = world(MACHINES);
  expect(store.commits).toEqual([ZERO]);
  expect(store.parameters.get(ZERO.hash)).toBe(INITIAL);
});

it('has a chain that leads to the last commit, and a snapshot now and then', () => {
  const { store } = world(MACHINES);
  for (let round = 1; round <= 9; round++) {
    store.commit({ round, hash: `h${round}` });
    const { snapshot, results } = store.chain;
    expect([snapshot, ...results].at(-1)!.round).toBe(round);
  }
  expect(store.chain.snapshot.round).toBe(8);
  expect(store.oldest).toBe(4);
});

it('remembers what it had first with a round and its parameters', () => {
  const { store } = world(MACHINES);
  const opened = { ...store.state, round: 1 };
  store.save(opened);
  store.save({ ...opened, heardAt: 5 });
  expect(store.earlier).toBe(opened);
});
