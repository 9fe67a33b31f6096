import { expect, it } from 'vitest';
import { Doorkeeper } from './doorkeeper.js';

it('so many may knock, come and be told of in a minute, and the next begins anew', () => {
  let now = 5;
  const untold: number[] = [];
  const keeper = new Doorkeeper(
    (count) => untold.push(count),
    () => now,
  );
  const times = (of: () => boolean) => Array.from({ length: 5000 }, of).filter(Boolean).length;
  const minute = () => [times(() => keeper.knock()), times(() => keeper.names(256)), times(() => keeper.refusal())];
  expect(minute()).toEqual([120, 4, 20]);
  now += 59_999;
  expect(minute()).toEqual([0, 0, 0]);
  now += 1;
  expect(minute()).toEqual([120, 4, 20]);
  expect(untold).toEqual([4980 + 5000]);
  now += 1e6;
  expect(keeper.knock()).toBe(true);
  expect(untold).toEqual([9980, 4980]);
});
