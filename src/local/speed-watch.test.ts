import { describe, expect, it } from 'vitest';
import { SpeedWatch } from './speed-watch.js';

/** Rounds of 25 steps, each of so many seconds; the numbers of those after which it asks for a measurement. */
function asked(watch: SpeedWatch, seconds: readonly number[]): number[] {
  return seconds.flatMap((one, i) => (watch.round(25, 1000 * one) ? [i] : []));
}

const rounds = (count: number, seconds: number): number[] => Array.from({ length: count }, () => seconds);

describe('a watch over the speed', () => {
  it('asks once a run is slower than it was, for longer than a moment', () => {
    expect(asked(new SpeedWatch(), [...rounds(8, 10), ...rounds(4, 16)])).toEqual([11]);
    // Four of 5 seconds and then one: a single slow window.
    expect(asked(new SpeedWatch(), [...rounds(8, 5), 20, ...rounds(8, 5)])).toEqual([]);
  });

  it('lets a machine waver, and a run that was always slow be', () => {
    expect(asked(new SpeedWatch(), [...rounds(10, 10), ...rounds(10, 13)])).toEqual([]);
    expect(asked(new SpeedWatch(), rounds(20, 60))).toEqual([]);
  });

  it('holds speeds against those since the last measurement, and leaves five minutes between two', () => {
    const watch = new SpeedWatch();
    expect(asked(watch, [20, 40, 40])).toEqual([2]);
    watch.measured(false);
    expect(asked(watch, rounds(8, 40))).toEqual([]);
    expect(asked(watch, rounds(2, 80))).toEqual([1]);
    watch.measured(false);
    expect(asked(watch, [20, ...rounds(7, 40)])).toEqual([7]);
  });

  it('looks again after five minutes whether what was held back is free', () => {
    const watch = new SpeedWatch();
    watch.measured(true);
    expect(asked(watch, rounds(15, 20))).toEqual([14]);
  });
});
