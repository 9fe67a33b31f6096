import { expect, test } from 'vitest';
import { byThousands } from './si.js';

test.each([
  [0, [0, 0]],
  [999.4, [999.4, 0]],
  [999.5, [0.9995, 1]],
  [-1_234_567, [-1.234567, 2]],
  [5e12, [5000, 3]],
])('%d by thousands', (value, [rest, times]) => {
  const found = byThousands(value, 3);
  expect(found[0]).toBeCloseTo(rest!, 9);
  expect(found[1]).toBe(times);
});
