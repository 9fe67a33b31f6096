import { expect, it } from 'vitest';
import { MACHINES } from '../play.test-support.js';
import { INITIAL, world, ZERO } from './world.test-support.js';

it('the store begins with the initial parameters as the first commit', () => {
  const { store } = world(MACHINES);
  expect(store.commits).toEqual([ZERO]);
  expect(store.parameters.get(ZERO.hash)).toBe(INITIAL);
});
