import { describe, expect, it } from 'vitest';
import { compareNames, find, indexOf, withItem, withoutItem } from './order.js';

const list = ['b', 'replica-2', 'replica-10'].map((worker) => ({ worker, n: 0 }));

describe('replica order', () => {
  it('counts as people do and needs no locale', () => {
    const names = ['replica-10', 'é', 'replica-2', 'b', '__proto__', '7'];
    expect(names.sort(compareNames)).toEqual(['7', 'b', 'é', '__proto__', 'replica-2', 'replica-10']);
  });

  it('finds each item, and the place of one that is missing', () => {
    expect(list.map((item) => indexOf(list, item.worker))).toEqual([0, 1, 2]);
    expect([indexOf(list, 'a'), indexOf(list, 'c'), indexOf(list, 'replica-11')]).toEqual([-1, -2, -4]);
    expect(find(list, 'replica-2')).toBe(list[1]);
    expect(find(list, 'nobody')).toBeUndefined();
  });

  it('inserts and replaces in place without touching the old list', () => {
    expect(withItem(list, { worker: 'c', n: 1 }).map((item) => item.worker)).toEqual([
      'b',
      'c',
      'replica-2',
      'replica-10',
    ]);
    expect(withItem(list, { worker: 'replica-2', n: 1 }).map((item) => item.n)).toEqual([0, 1, 0]);
    expect(withoutItem(list, 'b').map((item) => item.worker)).toEqual(['replica-2', 'replica-10']);
    expect(list.map((item) => item.n)).toEqual([0, 0, 0]);
  });
});
