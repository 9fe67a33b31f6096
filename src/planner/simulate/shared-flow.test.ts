import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SharedFlow, type Transfer } from './shared-flow.js';

/** Runs a flow to its end: the time at which each transfer ends. */
function run(flow: SharedFlow): Map<Transfer, number> {
  const ends = new Map<Transfer, number>();
  for (let next = flow.next(); next; next = flow.next()) {
    flow.complete(next);
    ends.set(next.transfer, next.at);
  }
  return ends;
}

describe('SharedFlow', () => {
  it('shares a line equally', () => {
    const flow = new SharedFlow(100);
    const a = flow.start(0, 100, 1000);
    const b = flow.start(0, 300, 1000);
    const ends = run(flow);
    // Both at 50 until a ends after 2 s; then b has 200 left at 100.
    expect([ends.get(a), ends.get(b)]).toEqual([2, 4]);
  });

  it('gives what capped transfers leave to the others', () => {
    const flow = new SharedFlow(100);
    const slow = flow.start(0, 100, 10);
    const fast = flow.start(0, 100, 1000);
    const middle = flow.start(0, 100, 30);
    const ends = run(flow);
    // 10, 30 and the other 60; once the fast one ends, the caps alone count.
    expect(ends.get(slow)).toBeCloseTo(10, 12);
    expect(ends.get(middle)).toBeCloseTo(100 / 30, 12);
    expect(ends.get(fast)).toBeCloseTo(100 / 60, 12);
  });

  it('follows arrivals, cancellations and another capacity', () => {
    const flow = new SharedFlow(10);
    const a = flow.start(0, 100, 100);
    const b = flow.start(5, 100, 100);
    flow.cancel(7, b);
    flow.cancel(7, b);
    flow.setCapacity(7, 20);
    expect(flow.active).toBe(1);
    // 50 by 5 s, 10 more by 7 s at half the rate, 40 left at 20.
    expect(run(flow)).toEqual(new Map([[a, 9]]));
    flow.cancel(10, a);
    expect(flow.active).toBe(0);
    expect(flow.next()).toBeUndefined();
  });

  it('takes many alike as one', () => {
    const flow = new SharedFlow(100);
    const three = flow.start(0, 100, 1000, 3);
    const one = flow.start(0, 50, 1000);
    expect(flow.active).toBe(4);
    // All four at 25 until the small one ends after 2 s; then three have 50 left at a third.
    expect(run(flow)).toEqual(
      new Map([
        [one, 2],
        [three, 3.5],
      ]),
    );
    expect(flow.active).toBe(0);
  });

  it('stands still without capacity, and ends at once what has no bytes', () => {
    const flow = new SharedFlow(0);
    const nothing = flow.start(1, 0, 5);
    expect(flow.next()).toEqual({ at: 1, transfer: nothing });
    flow.complete({ at: 1, transfer: nothing });
    flow.start(1, 10, 5);
    expect(flow.next()).toBeUndefined();
    flow.setCapacity(3, 5);
    expect(flow.next()!.at).toBe(5);
  });

  it('moves all bytes, never faster than the line or a cap allows', () => {
    const transfer = fc.record({
      bytes: fc.double({ min: 1, max: 1e6, noNaN: true }),
      cap: fc.constantFrom(3, 7, 50, 1e9),
      after: fc.double({ min: 0, max: 100, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(transfer, { minLength: 1, maxLength: 30 }), (list) => {
        const flow = new SharedFlow(100);
        const ends = new Map<Transfer, number>();
        const starts = new Map<Transfer, { at: number; least: number }>();
        let now = 0;
        for (const { bytes, cap, after } of list) {
          now += after;
          for (let next = flow.next(); next && next.at <= now; next = flow.next()) {
            flow.complete(next);
            ends.set(next.transfer, next.at);
          }
          starts.set(flow.start(now, bytes, cap), { at: now, least: bytes / Math.min(cap, 100) });
        }
        for (const [each, end] of run(flow)) ends.set(each, end);
        expect(ends.size).toBe(list.length);
        for (const [each, { at, least }] of starts)
          expect(ends.get(each)! - at).toBeGreaterThanOrEqual(least * (1 - 1e-9) - 1e-9);
        const total = list.reduce((sum, { bytes }) => sum + bytes, 0);
        const begin = Math.min(...[...starts.values()].map(({ at }) => at));
        expect((Math.max(...ends.values()) - begin) * 100).toBeGreaterThanOrEqual(total * (1 - 1e-9));
      }),
    );
  });
});
