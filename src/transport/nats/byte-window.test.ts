import { expect, test } from 'vitest';
import { ByteWindow } from './byte-window.js';

const MIB = 1024 * 1024;

/** A line of a given speed on a virtual clock: what is sent arrives in order. */
function line(bytesPerSecond: number) {
  let now = 0;
  let inFlight = 0;
  let most = 0;
  const queue: { readonly bytes: number; readonly done: () => void }[] = [];
  const window = new ByteWindow(() => now);
  const send = (bytes: number) =>
    window.within(bytes, async () => {
      inFlight += bytes;
      most = Math.max(most, inFlight);
      await new Promise<void>((done) => queue.push({ bytes, done }));
    });
  const deliver = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      now += (next.bytes / bytesPerSecond) * 1000;
      inFlight -= next.bytes;
      next.done();
      // The window lets the next ones in.
      for (let i = 0; i < 10; i++) await Promise.resolve();
    }
  };
  return {
    window,
    send,
    deliver,
    most: () => {
      const value = most;
      most = inFlight;
      return value;
    },
  };
}

test('a slow line gets little at a time, a fast one much', async () => {
  for (const [speed, least, limit] of [
    [1.2e6, MIB, 1.3e6],
    [12e6, 8e6, 12.5e6],
    [1e9, 30 * MIB, 32 * MIB],
  ] as const) {
    const { window, send, deliver } = line(speed);
    const sent = Array.from({ length: 400 }, () => send(MIB / 2));
    await deliver();
    await Promise.all(sent);
    expect(window.limit).toBeGreaterThanOrEqual(least);
    expect(window.limit).toBeLessThanOrEqual(limit);
  }
});

test('what is in flight stays below the limit, but one piece always goes', async () => {
  const { window, send, deliver, most } = line(1e6);
  const sent = Array.from({ length: 40 }, () => send(MIB));
  await deliver();
  await Promise.all(sent);
  most();
  const more = [send(3 * window.limit), ...Array.from({ length: 20 }, () => send(MIB / 4))];
  const { limit } = window;
  await deliver();
  await Promise.all(more);
  expect(most()).toBe(3 * limit);
});

test('a failure gives its room back', async () => {
  const window = new ByteWindow(() => 0);
  for (let i = 0; i < 20; i++) {
    await expect(window.within(4 * MIB, () => Promise.reject(new Error('lost')))).rejects.toThrow('lost');
  }
  expect(await window.within(4 * MIB, async () => 'done')).toBe('done');
});
