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
  expect(minute()).toEqual([90, 3, 20]);
  now += 59_999;
  expect(minute()).toEqual([0, 0, 0]);
  now += 1;
  expect(minute()).toEqual([90, 3, 20]);
  expect(untold).toEqual([4980 + 5000]);
  now += 1e6;
  expect(keeper.knock()).toBe(true);
  expect(untold).toEqual([9980, 4980]);
});

it('those who come by one invitation leave the others their turn', () => {
  const keeper = new Doorkeeper(
    () => {},
    () => 0,
  );
  const times = (of: () => boolean) => Array.from({ length: 500 }, of).filter(Boolean).length;
  expect(times(() => keeper.knock('crowd'))).toBe(90);
  expect(times(() => keeper.knock('other'))).toBe(30);
  expect(times(() => keeper.knock('third'))).toBe(0);
  expect(times(() => keeper.names(256, 'crowd'))).toBe(3);
  expect(times(() => keeper.names(200, 'other'))).toBe(1);
});
