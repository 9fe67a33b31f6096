import { expect, it } from 'vitest';
import { EventQueue } from './event-queue.js';
import { toldWork } from './told-work.js';

/** Work that tells its turns until it is stopped. */
function turns() {
  const events = new EventQueue<number>();
  let stopped = false;
  const work = (async () => {
    let turn = 0;
    for (; !stopped && turn < 1000; turn++) {
      events.push(turn);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return turn;
  })();
  return toldWork(work, events, () => {
    stopped = true;
  });
}

it('ends when its reader leaves, or at the end of await using', async () => {
  const left = turns();
  for await (const turn of left) if (turn === 3) break;
  expect(await left.result).toBeLessThan(20);
  let result: Promise<number>;
  {
    await using used = turns();
    result = used.result;
  }
  expect(await result).toBeLessThan(20);
});

it('tells a failure to the reader of its events, and to whoever waits for the result', async () => {
  const failing = () => {
    const events = new EventQueue<number>();
    events.push(1);
    return toldWork(Promise.reject(new Error('spoilt')), events, () => {});
  };
  const seen: number[] = [];
  await expect(
    (async () => {
      for await (const event of failing()) seen.push(event);
    })(),
  ).rejects.toThrow('spoilt');
  expect(seen).toEqual([1]);
  await expect(failing().result).rejects.toThrow('spoilt');
  // Of those that are disposed of nobody need be told.
  await failing()[Symbol.asyncDispose]();
});
