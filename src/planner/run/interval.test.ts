import { describe, expect, it } from 'vitest';
import { findAccelerator, findModel } from '../catalogue/index.js';
import { arrangement } from '../step/step.test-support.js';
import {
  coverage,
  type ErrorPoint,
  featuresOf,
  pointsJson,
  shippedPoints,
  speedInterval,
  timeInterval,
} from './interval.js';

const point = (ratio: number, change: Partial<ErrorPoint> = {}): ErrorPoint => ({
  ...{ source: 'one', ratio, year: 2020, devices: 64, parameters: 1e10, narrow: false },
  ...{ pipeline: true, tensor: true, sharded: false },
  ...change,
});

describe('intervals', () => {
  it('hold 75 to 85 % of the measured rows whose source is left out', () => {
    expect(shippedPoints.length).toBeGreaterThan(300);
    const share = coverage(shippedPoints);
    expect(share).toBeGreaterThan(0.75);
    expect(share).toBeLessThan(0.85);
  });

  it('are the tenth and the ninetieth hundredth of runs alike, and those far away hardly count', () => {
    const near = Array.from({ length: 11 }, (_, i) => point(0.9 + 0.02 * i));
    const { share, low, high } = speedInterval(point(1), near);
    expect([share, low, high]).toEqual([0.8, 0.92, 1.08]);
    const far = Array.from({ length: 11 }, () => point(3, { source: 'two', year: 2034, devices: 1e6 }));
    expect(speedInterval(point(1), [...near, ...far])).toEqual({ share, low, high });
    // With nothing near, all there is.
    const beyond = speedInterval(point(1, { year: 9000 }), [...near, ...far]);
    expect([beyond.low, beyond.high]).toEqual([0.9, 3]);
  });

  it('of times are those of speeds upside down', () => {
    const card = findAccelerator('H100');
    const model = findModel('gpt3-175b');
    const speed = speedInterval(featuresOf(model, card, arrangement));
    const time = timeInterval(model, card, arrangement);
    expect([time.low, time.high]).toEqual([1 / speed.high, 1 / speed.low]);
    expect(time.low).toBeLessThan(1.1);
    expect(time.high).toBeGreaterThan(1);
  });

  it('are written so that they are read again', () => {
    const { sources, rows } = pointsJson([point(1.0004, { narrow: true, sharded: true }), point(2, { source: 'two' })]);
    expect(sources).toEqual(['one', 'two']);
    expect(rows).toEqual([
      [0, 1, 2020, 64, 1e10, 15],
      [1, 2, 2020, 64, 1e10, 6],
    ]);
    expect(pointsJson(shippedPoints).rows).toHaveLength(shippedPoints.length);
  });
});
