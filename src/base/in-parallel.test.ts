import { expect, it } from 'vitest';
import { inParallel } from './in-parallel.js';

it('gives the results in order, of a few works at a time', async () => {
  let [running, most] = [0, 0];
  const work = async (item: number, i: number) => {
    expect(i).toBe(item);
    most = Math.max(most, ++running);
    for (let waits = item % 3; waits >= 0; waits--) await new Promise(setImmediate);
    running--;
    return item * 2;
  };
  const items = Array.from({ length: 30 }, (_, i) => i);
  expect(await inParallel(items, work)).toEqual(items.map((item) => item * 2));
  expect(most).toBe(8);
  most = 0;
  expect(await inParallel(items, work, 3)).toHaveLength(30);
  expect(most).toBe(3);
  expect(await inParallel([], work)).toEqual([]);
});

it('begins nothing after a failure, and ends when all that began has', async () => {
  let [started, ended] = [0, 0];
  const work = async (item: number) => {
    started++;
    await new Promise(setImmediate);
    ended++;
    if (item === 20) throw new Error('twenty');
  };
  await expect(inParallel(Array(100).keys(), work)).rejects.toThrow('twenty');
  expect(started).toBeLessThan(40);
  expect(ended).toBe(started);
});
