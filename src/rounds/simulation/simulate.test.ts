import { describe, expect, it } from 'vitest';
import { randomSchedule } from './schedule.js';
import { simulate } from './simulate.js';

describe('random schedules', () => {
  it('400 of joins, leaves, delays, duplicates: none stuck, none divergent, no commit lost', () => {
    let commits = 0;
    let aborts = 0;
    for (let seed = 0; seed < 400; seed++) {
      const result = simulate(randomSchedule(seed, 'steady'));
      commits += result.commits;
      aborts += result.aborts;
    }
    // Guards against a simulation that has gone empty.
    expect(commits).toBeGreaterThan(2000);
    expect(aborts).toBeGreaterThan(100);
  });

  it('400 with loss, crashes, restarts of the coordinator, partitions, failed merges', () => {
    let commits = 0;
    for (let seed = 0; seed < 400; seed++) commits += simulate(randomSchedule(seed, 'chaos')).commits;
    expect(commits).toBeGreaterThan(1200);
  });
});
