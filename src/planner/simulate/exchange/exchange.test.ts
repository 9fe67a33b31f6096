import { describe, expect, it } from 'vitest';
import { finish, record } from '../timeline.js';
import { simulateExchange } from './exchange.js';
import type { ExchangeSpec } from './spec.js';

const line = { share: 1, up: 12.5e6, down: 12.5e6 };
const small: ExchangeSpec = { workers: 16, parameters: 1e6, shards: 16, bytesPerParameter: 4, lines: [line] };

describe('simulateExchange', () => {
  it('takes (W − 1)/W of the vector each way where all sum', () => {
    const { seconds, bytes, reducers, until, closedForm } = finish(simulateExchange(small));
    const oneWay = ((15 / 16) * 4e6) / 12.5e6;
    expect(reducers).toBe(16);
    expect(until.reduced).toBeCloseTo(oneWay, 9);
    expect(seconds).toBeCloseTo(2 * oneWay + 4e6 / 16 / 4e9, 9);
    expect(seconds).toBeCloseTo(closedForm!, 9);
    expect(bytes.total).toBe(16 * 2 * (15 / 16) * 4e6);
    expect(bytes.reducer).toEqual({ sent: 2 * (15 / 16) * 4e6, received: 2 * (15 / 16) * 4e6 });
  });

  it('agrees with the closed form within 2 % for other numbers of workers, shards, lines and formats', () => {
    for (const over of [
      { workers: 4, shards: 256 },
      { workers: 100, shards: 16, latency: 0.05 },
      { workers: 7, shards: 20 },
      { workers: 50, shards: 8, bytesPerParameter: 0.5, resultBytesPerParameter: 4 },
      { workers: 30, shards: 30, lines: [{ share: 1, up: 1e6, down: 2e7 }] },
    ]) {
      const { seconds, closedForm } = finish(simulateExchange({ ...small, ...over }));
      expect(Math.abs(seconds / closedForm! - 1), JSON.stringify(over)).toBeLessThan(0.02);
    }
  });

  it('is bound by the reducers’ lines where there are more workers than shards', () => {
    // A billion parameters in int8, 10,000 workers, 256 shards: each reducer takes in 9,999 shards of 3.9 MB.
    const spec: ExchangeSpec = { ...small, workers: 10_000, parameters: 1e9, shards: 256, bytesPerParameter: 1 };
    const { seconds, transfers, bytes, criticalPath, done } = finish(simulateExchange(spec));
    expect(transfers).toBe(2 * 256 * 9999);
    expect(bytes.contributions).toBeCloseTo(9.999e12, -3);
    expect(bytes.worker).toEqual({ sent: 1e9, received: 1e9 });
    expect(bytes.reducer.received).toBeCloseTo((9999 * 1e9) / 256 + 1e9 - 1e9 / 256, 0);
    expect(seconds).toBeCloseTo(2 * ((9999 * 1e9) / 256 / 12.5e6), 1);
    expect(done.last).toBe(seconds);
    expect(criticalPath.map(({ what }) => what)).toEqual(['ready', 'contribution', 'sum', 'commit', 'result']);
    expect(criticalPath[1]!.limit).toBe('the line to worker 0, shared by up to 9999 transfers');
    criticalPath.reduce((end, link) => {
      expect(link.start).toBe(end);
      return link.end;
    }, 0);
    expect(criticalPath.at(-1)!.end).toBe(seconds);
  });

  it('computes every transfer of workers that become ready one after another', () => {
    const spec: ExchangeSpec = {
      ...small,
      workers: 500,
      shards: 32,
      spread: 60,
      latency: 0.02,
      lines: [
        { share: 2, up: 125e6, down: 125e6 },
        { share: 7, up: 12.5e6, down: 12.5e6 },
        { share: 1, up: 2e4, down: 1e6 },
      ],
    };
    const { transfers, until, criticalPath, closedForm, seconds } = finish(simulateExchange(spec));
    expect(transfers).toBe(2 * 32 * 499);
    expect(closedForm).toBeNull();
    // The narrowest line needs 4e6 / 2e4 s for its contribution, and its worker was ready within the minute.
    const [ready, contribution] = criticalPath;
    expect(contribution!.limit).toBe(`the line from ${ready!.from}`);
    expect(contribution!.end - contribution!.start).toBeCloseTo(200.02, 6);
    expect(until.ready).toBeLessThanOrEqual(60);
    expect(until.reduced).toBeLessThanOrEqual(until.summed);
    expect(until.gathered).toBe(seconds);
  });

  it('draws each worker’s training, sums and fetching; large crowds by their reducers alone', () => {
    const simulation = simulateExchange({ ...small, spread: 1 });
    const { events, tracks } = record(simulation);
    expect(tracks).toHaveLength(32);
    expect(events.length).toBeLessThanOrEqual(simulation.mostEvents);
    const names = new Set(events.map(({ name }) => name));
    expect(names).toEqual(new Set(['training', 'reduce', 'sum', 'gather', 'receiving']));
    expect(simulateExchange({ ...small, workers: 5000 }).tracks).toHaveLength(32);
  });

  it('refuses absurd sizes', () => {
    expect(() => simulateExchange({ ...small, workers: 1e9 })).toThrow('at most 50000000 are simulated');
  });
});
