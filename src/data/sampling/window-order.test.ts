import { expect, it } from 'vitest';
import { WindowOrder } from './window-order.js';

const starts = (order: WindowOrder, epoch: number) =>
  Array.from({ length: order.windowsPerEpoch }, (_, place) => order.start(epoch, place));

it('cuts each epoch into windows that touch, from another place on and in another order', () => {
  const order = new WindowOrder({ tokens: 1003, context: 10, seed: 1 });
  expect(order.windowsPerEpoch).toBe(99);
  const [first, second] = [starts(order, 0), starts(order, 1)];
  for (const epoch of [first, second]) {
    const sorted = [...epoch].sort((a, b) => a - b);
    expect(sorted).toEqual(sorted.map((_, i) => sorted[0]! + 10 * i));
    expect(sorted[0]).toBeLessThan(10);
    expect(sorted.at(-1)! + 11).toBeLessThanOrEqual(1003);
  }
  expect(first).not.toEqual(second);
  // Going back to an epoch gives what it gave before.
  expect(starts(order, 0)).toEqual(first);
});

it('has one window in the shortest text, and refuses a shorter one', () => {
  expect(starts(new WindowOrder({ tokens: 9, context: 8, seed: 1 }), 3)).toEqual([0]);
  expect(() => new WindowOrder({ tokens: 8, context: 8, seed: 1 })).toThrow(/needs at least 9/);
});
