import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Heap } from './heap.js';

it('gives back in order what was put in, whenever', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 20 }))), (actions) => {
      const heap = new Heap<number>((a, b) => a < b);
      const list: number[] = [];
      for (const action of actions) {
        if (action === null) {
          expect(heap.first).toBe(list[0]);
          expect(heap.pop()).toBe(list.shift());
        } else {
          heap.push(action);
          list.push(action);
          list.sort((a, b) => a - b);
        }
      }
      for (const item of list) expect(heap.pop()).toBe(item);
      expect(heap.pop()).toBeUndefined();
    }),
  );
});
