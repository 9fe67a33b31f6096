import { describe, expect, it } from 'vitest';
import { randomSchedule } from './schedule.js';
import { simulate } from './simulate.js';

describe('random schedules', () => {
  it('10,000 of joins, leaves, delays, duplicates: none stuck, none divergent, no commit lost', () => {
    let commits = 0;
    let aborts = 0;
    for (let seed = 0; seed < 10_000; seed++) {
      const result = simulate(randomSchedule(seed, 'steady'));
      commits += result.commits;
      aborts += result.aborts;
    }
    // Guards against a simulation that has gone empty.
    expect(commits).toBeGreaterThan(40_000);
    expect(aborts).toBeGreaterThan(500);
  });

  it('1,000 with loss, crashes, restarts of the coordinator, partitions, failed merges', () => {
    let commits = 0;
    for (let seed = 0; seed < 1_000; seed++) commits += simulate(randomSchedule(seed, 'chaos')).commits;
    expect(commits).toBeGreaterThan(3_000);
  });
});
