import { describe, expect, it } from 'vitest';
import { checkOptions } from '../create.js';
import { randomSchedule } from './schedule.js';

const kinds = (kind: 'steady' | 'chaos') =>
  Array.from({ length: 500 }, (_, seed) => randomSchedule(seed, kind)).flatMap((schedule) => {
    checkOptions(schedule.options);
    expect(schedule.actions.every(({ at }) => at >= 0 && at <= schedule.calmAt)).toBe(true);
    return schedule.actions.map(({ action }) => (action.type === 'join' ? action.character : action.type));
  });

describe('random schedules', () => {
  it('are the same for the same seed, and differ by seed and kind', () => {
    expect(randomSchedule(3, 'chaos')).toEqual(randomSchedule(3, 'chaos'));
    expect(randomSchedule(3, 'chaos')).not.toEqual(randomSchedule(4, 'chaos'));
  });

  it('steady ones hold joins of every character, leaves, restarts, and no loss', () => {
    const all = ['early', 'evict', 'fickle', 'fresh', 'honest', 'idle', 'leave', 'restart', 'silent', 'stubborn'];
    expect([...new Set(kinds('steady'))].sort()).toEqual(all);
    expect(randomSchedule(1, 'steady').line.loss).toBe(0);
  });

  it('chaos also holds crashes, coordinators that die, partitions, merges that fail, and loss', () => {
    const seen = new Set(kinds('chaos'));
    for (const type of ['crash', 'coordinator', 'partition', 'failMerges', 'idle', 'leave'])
      expect(seen).toContain(type);
    expect(randomSchedule(1, 'chaos').line.loss).toBeGreaterThan(0);
  });
});
