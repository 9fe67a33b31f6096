import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { LoopSlices } from './loop-slices.js';

/** Works that note their number at once, and again behind what follows of them. */
function noting(order: number[]) {
  const follows = async (n: number) => {
    order.push(n);
    await Promise.resolve();
    process.nextTick(() => order.push(n + 0.5));
  };
  return (n: number) => () => void follows(n);
}

it('does so many works in each turn of the event loop, in their order, with all that follows of them', async () => {
  const order: number[] = [];
  const work = noting(order);
  const [alone, pairs] = [new LoopSlices(1), new LoopSlices(2)];
  for (const n of [1, 2, 3]) alone.add(work(n));
  expect(order).toEqual([]);
  for (const n of [1, 2, 3]) {
    await turn();
    expect(order).toEqual([1, 1.5, 2, 2.5, 3, 3.5].slice(0, 2 * n));
  }
  for (const n of [4, 5, 6]) pairs.add(work(n));
  await turn();
  expect(order.slice(6)).toEqual([4, 5, 4.5, 5.5]);
  await turn();
  expect(order.slice(10)).toEqual([6, 6.5]);
});

it('does what is given while it works, and when it had nothing to do', async () => {
  const slices = new LoopSlices(3);
  const order: number[] = [];
  const more = (n: number) => () => {
    order.push(n);
    if (n < 1000) slices.add(more(n + 1));
  };
  slices.add(more(0));
  while (order.length <= 1000) await turn();
  expect(order).toEqual(Array.from({ length: 1001 }, (_, n) => n));
  await turn();
  slices.add(() => order.push(-1));
  await turn();
  expect(order.at(-1)).toBe(-1);
});

it('goes on behind a work that throws', async () => {
  const slices = new LoopSlices(2);
  const own = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
  let done = 0;
  try {
    slices.add(() => {
      throw new Error('fault');
    });
    slices.add(() => done++);
    expect(await thrown).toMatchObject({ message: 'fault' });
    await turn();
    await turn();
    expect(done).toBe(1);
  } finally {
    for (const one of own) process.on('uncaughtException', one);
  }
});
