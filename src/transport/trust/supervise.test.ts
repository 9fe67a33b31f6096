import { afterEach, expect, test, vi } from 'vitest';
import { supervise } from './supervise.js';

afterEach(() => vi.useRealTimers());

test('a server that has ended is started again, later and later when it goes on ending', async () => {
  vi.useFakeTimers();
  const at: number[] = [];
  const said: string[] = [];
  const results = [async () => true, async () => Promise.reject(new Error('disk full')), async () => true];
  const server = {
    revive: () => {
      at.push(Date.now() - began);
      return results.shift()?.() ?? Promise.resolve(false);
    },
  };
  const began = Date.now();
  const { end } = supervise(server, (message) => said.push(message), { look: 100, now: Date.now });
  await vi.advanceTimersByTimeAsync(2400);
  expect(at).toEqual([100, 300, 700, 1500, 2300]);
  expect(said).toEqual([
    expect.stringMatching(/started again/),
    expect.stringMatching(/cannot be started again now: disk full/),
    expect.stringMatching(/started again/),
  ]);
  // A minute of calm, and it is looked after as at first.
  await vi.advanceTimersByTimeAsync(62_000);
  const from = at.length;
  await vi.advanceTimersByTimeAsync(1000);
  expect(at.length - from).toBe(10);
  end();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(at.length - from).toBe(10);
});
