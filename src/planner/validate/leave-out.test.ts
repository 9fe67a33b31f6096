import { describe, expect, it } from 'vitest';
import { shippedConstants } from '../catalogue/constants.js';
import { leaveOneSourceOut } from './leave-out.js';
import { cellsOf } from './rows.test-support.js';

describe('leaveOneSourceOut', () => {
  const rows = [
    cellsOf({ source: 'one', step_time_s: '1.4' }),
    cellsOf({ source: 'one', step_time_s: '1.4' }),
    cellsOf({ source: 'two', step_time_s: '2.8' }),
    cellsOf({ source: 'three', grade: 'B' }),
  ];

  it('predicts each judged source without its own rows', () => {
    const left = leaveOneSourceOut(rows, shippedConstants);
    expect(left.map(({ source, rows: count }) => [source, count])).toEqual([
      ['one', 2],
      ['two', 1],
    ]);
    // Fitted to the other alone, each is off by the factor of two between them, as far as efficiency reaches.
    for (const { error } of left) expect(error).toBeGreaterThan(30);
  });

  it('forgets what it knows of the framework and the card where neither shall have been seen', () => {
    const others = [...rows, cellsOf({ source: 'four', framework: 'JAX', accel: 'TPU v4', step_time_s: '1.4' })];
    const [first] = leaveOneSourceOut(others, shippedConstants, { unseen: true });
    expect(first!.results.map(({ efficiencySource }) => efficiencySource)).toEqual(['default', 'default']);
    expect(first!.worst).toBeGreaterThanOrEqual(first!.error);
    const [known] = leaveOneSourceOut(others, shippedConstants);
    expect(known!.results[0]!.efficiencySource).toBe('fitted');
  });

  it('fits what it is told to, with what is left', () => {
    const seen: number[] = [];
    leaveOneSourceOut(rows, shippedConstants, {
      refit: (others, constants) => {
        seen.push(others.length);
        return constants;
      },
    });
    expect(seen).toEqual([1, 2]);
  });
});
