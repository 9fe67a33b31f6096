import { describe, expect, it } from 'vitest';
import { checkExchange, type ExchangeSpec, participantsOf } from './spec.js';

const spec: ExchangeSpec = {
  workers: 10,
  parameters: 1e6,
  shards: 4,
  bytesPerParameter: 1,
  lines: [
    { share: 1, up: 1e6, down: 2e6 },
    { share: 3, up: 5e6, down: 4e6 },
  ],
};

describe('participantsOf', () => {
  it('gives each kind its share, the best lines first', () => {
    const workers = participantsOf(spec);
    expect(workers.map(({ up }) => up)).toEqual([...Array(7).fill(5e6), ...Array(3).fill(1e6)]);
    expect(workers.every(({ ready }) => ready === 0)).toBe(true);
  });

  it('spreads the workers evenly over the time, the same for the same seed', () => {
    const ready = participantsOf({ ...spec, workers: 2000, spread: 10 }).map((worker) => worker.ready);
    expect(Math.min(...ready)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...ready)).toBeLessThan(10);
    expect(ready.reduce((sum, r) => sum + r, 0) / 2000).toBeCloseTo(5, 0.5);
    expect(participantsOf({ ...spec, spread: 1 })).toEqual(participantsOf({ ...spec, spread: 1 }));
    expect(participantsOf({ ...spec, spread: 1, seed: 2 })).not.toEqual(participantsOf({ ...spec, spread: 1 }));
  });
});

describe('checkExchange', () => {
  it.each([
    [{ workers: 1 }, 'number of workers must be a whole number from 2; got 1'],
    [{ parameters: 0.5 }, 'number of parameters must be a whole number from 1; got 0.5'],
    [{ shards: 0 }, 'number of shards must be a whole number from 1'],
    [{ shards: 2e6 }, 'at most one a parameter; got 2000000'],
    [{ bytesPerParameter: 0 }, 'bytes of a parameter must be above 0; got 0'],
    [{ resultBytesPerParameter: Number.NaN }, 'merged parameter must be above 0; got NaN'],
    [{ latency: -1 }, 'latency must be seconds from 0; got -1'],
    [{ spread: Number.POSITIVE_INFINITY }, 'spread must be seconds from 0; got Infinity'],
    [{ sumRate: 0 }, 'rate of sums must be bytes a second above 0; got 0'],
    [{ lines: [] }, 'number of kinds of line must be from 1 to 32; got 0'],
    [{ lines: [{ share: 0, up: 1, down: 1 }] }, 'shares of lines must be above 0 in all'],
    [{ lines: [{ share: 1, up: 0, down: 1 }] }, 'got 0 up, 1 down'],
    [{ workers: 1e6, shards: 256 }, 'makes 511999488 transfers; at most 50000000'],
  ])('refuses %j', (over, message) => {
    expect(() => checkExchange({ ...spec, ...over })).toThrow(message);
  });
});
