import { describe, expect, it } from 'vitest';
import { busySeconds } from '../busy.test-support.js';
import { finish, record } from '../timeline.js';
import { simulateZero, type ZeroSpec } from './zero.js';

const spec: ZeroSpec = { layers: 32, microBatches: 1, forward: 1, backward: 2, gather: 0.5, reduce: 0.5, prefetch: 1 };

describe('simulateZero', () => {
  it('hides all but the first gather and the last reduction where computing is slower', () => {
    expect(finish(simulateZero(spec))).toMatchObject({ seconds: 0.5 + 32 * 3 + 0.5, exposed: 1, compute: 96 });
  });

  it('waits for every gather without prefetching', () => {
    const { seconds, mostGathered } = finish(simulateZero({ ...spec, prefetch: 0 }));
    expect(seconds).toBe(64 * 0.5 + 96 + 0.5);
    expect(mostGathered).toBe(1);
  });

  it('waits for every collective where nothing is overlapped', () => {
    const { seconds, closedForm, communication } = finish(
      simulateZero({ ...spec, prefetch: 0, overlapReductions: false }),
    );
    expect(communication).toBe(96 * 0.5);
    expect(seconds).toBe(96 + 96 * 0.5);
    expect(closedForm).toBe(seconds);
  });

  it('is as slow as the network where that is slower', () => {
    const { seconds, communication } = finish(simulateZero({ ...spec, gather: 3, reduce: 3 }));
    // 64 gathers and 32 reductions follow one another without a gap.
    expect(communication).toBe(96 * 3);
    expect(seconds).toBe(288);
  });

  it('agrees with the closed form within 2 %', () => {
    for (const [prefetch, overlapReductions] of [0, 1, 2].flatMap((n) => [[n, true] as const, [n, false] as const]))
      for (const microBatches of [1, 4])
        for (const [forward, backward, gather, reduce] of [
          [1, 2, 0.2, 0.1],
          [1, 2, 0.9, 0.9],
          [1, 2, 1.5, 1],
          [1, 2, 3, 3],
          [1, 1, 0.3, 2],
        ] as const) {
          const one = { ...spec, prefetch, overlapReductions, microBatches, forward, backward, gather, reduce };
          const { seconds, closedForm } = finish(simulateZero(one));
          expect(Math.abs(seconds / closedForm! - 1), JSON.stringify(one)).toBeLessThan(0.02);
        }
  });

  it('holds one layer more for each that it gathers ahead', () => {
    const held = (prefetch: number) =>
      finish(simulateZero({ ...spec, prefetch, gather: 0.1, reduce: 0.1 })).mostGathered;
    expect([held(0), held(1), held(3)]).toEqual([1, 2, 4]);
  });

  it('makes all devices wait for the slowest', () => {
    const alone = finish(simulateZero({ ...spec, jitter: 0.3 }));
    const together = finish(simulateZero({ ...spec, jitter: 0.3, devices: 8 }));
    expect(together.seconds).toBeGreaterThan(alone.seconds * 1.1);
    expect(together.exposed).toBeGreaterThan(alone.exposed + 5);
    expect(together.closedForm).toBeNull();
    expect(finish(simulateZero({ ...spec, devices: 8 })).seconds).toBe(finish(simulateZero(spec)).seconds);
  });

  it('shows two tracks a device, each doing one thing at a time, and the optimiser at the end', () => {
    const simulation = simulateZero({ ...spec, devices: 2, jitter: 0.1, afterwards: 4 });
    const { events, tracks, summary } = record(simulation);
    expect(events.length).toBeLessThanOrEqual(simulation.mostEvents);
    expect(tracks.map(({ process, thread }) => `${process} ${thread}`)).toEqual([
      'device 0 compute',
      'device 0 network',
      'device 1 compute',
      'device 1 network',
    ]);
    const spans = events.filter((event) => event.type === 'span');
    for (let track = 0; track < 4; track++)
      spans
        .filter((span) => span.track === track)
        .sort((a, b) => a.start - b.start)
        .reduce((end, { start, end: next }) => {
          expect(start).toBeGreaterThanOrEqual(end);
          return next;
        }, 0);
    const busy = busySeconds(tracks, events);
    expect((busy[0]! + busy[2]!) / 2).toBeCloseTo(summary.compute + 4, 9);
    expect(busy[1]).toBeCloseTo(summary.communication, 9);
    expect(Math.max(...spans.map(({ end }) => end))).toBe(summary.seconds);
  });

  it('is the same for the same seed', () => {
    const seconds = (seed: number) => finish(simulateZero({ ...spec, jitter: 0.3, seed })).seconds;
    expect(seconds(1)).toBe(seconds(1));
    expect(seconds(2)).not.toBe(seconds(1));
  });

  it.each([
    [{ layers: 0 }, 'number of layers must be a whole number from 1; got 0'],
    [{ prefetch: -1 }, 'prefetch must be a whole number of layers from 0; got -1'],
    [{ gather: Number.NaN }, 'gather must be seconds from 0; got NaN'],
    [{ forward: 0 }, 'forward must be seconds above 0; got 0'],
    [{ jitter: -1 }, 'jitter must be from 0 to 3; got -1'],
    [{ layers: 1e5, devices: 1024 }, 'visits layers 102400000 times on 1024 devices; at most 2000000'],
  ])('refuses %j', (over, message) => {
    expect(() => simulateZero({ ...spec, ...over })).toThrow(message);
  });
});
