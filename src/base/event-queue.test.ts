import { expect, it } from 'vitest';
import { EventQueue } from './event-queue.js';

async function read(queue: EventQueue<number>): Promise<number[]> {
  const seen: number[] = [];
  for await (const event of queue) seen.push(event);
  return seen;
}

it('gives events in order, those before and those while it is read', async () => {
  const queue = new EventQueue<number>();
  queue.push(1);
  const seen = read(queue);
  await new Promise(setImmediate);
  queue.push(2);
  queue.push(3);
  await new Promise(setImmediate);
  queue.push(4);
  queue.end();
  expect(await seen).toEqual([1, 2, 3, 4]);
});

it('throws the failure after the last event', async () => {
  const queue = new EventQueue<number>();
  queue.push(1);
  queue.end({ error: new Error('broken') });
  const seen: number[] = [];
  const reading = (async () => {
    for await (const event of queue) seen.push(event);
  })();
  await expect(reading).rejects.toThrow('broken');
  expect(seen).toEqual([1]);
});

it('keeps the newest 10,000 where no one reads', async () => {
  const queue = new EventQueue<number>();
  for (let i = 0; i < 10_005; i++) queue.push(i);
  queue.end();
  const seen = await read(queue);
  expect([seen.length, seen[0], seen.at(-1)]).toEqual([10_000, 5, 10_004]);
});
