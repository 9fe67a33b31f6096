import { describe, expect, it } from 'vitest';
import { criticalPathOf, nameOf } from './critical-path.js';
import { sizesOf } from './sizes.js';

describe('criticalPathOf', () => {
  const size = sizesOf({ workers: 3, parameters: 300, shards: 3, bytesPerParameter: 1, lines: [] });
  const workers = [
    { up: 100, down: 100, ready: 0 },
    { up: 100, down: 100, ready: 2 },
    { up: 10, down: 100, ready: 5 },
  ];

  it('names each link, when it began and ended, and what it hung on', () => {
    // Worker 2 sends 100 bytes to reducer 0 at half of its 10 a second; reducer 1's 100 bytes to worker 0 are shared.
    const path = criticalPathOf(workers, size, () => 2, {
      slowest: { reducer: 0, from: 2, at: 25, summed: 26 },
      final: { reducer: 1, worker: 0, at: 31 },
      commit: 26,
      start: 26,
      latency: 0,
    });
    expect(path.map(({ what, from, to, start, end }) => [what, from, to, start, end])).toEqual([
      ['ready', 'worker 2', 'worker 2', 0, 5],
      ['contribution', 'worker 2', 'worker 0', 5, 25],
      ['sum', 'worker 0', 'worker 0', 25, 26],
      ['commit', 'worker 0', 'worker 1', 26, 26],
      ['result', 'worker 1', 'worker 0', 26, 31],
    ]);
    expect(path[1]!.limit).toBe('the line from worker 2');
    expect(path[4]!.limit).toBe('the line from worker 1, shared by up to 2 transfers');
    expect(nameOf(7)).toBe('worker 7');
  });
});
