import { expect, test } from 'vitest';
import { sparkline } from './sparkline.js';

test.each([
  [[8, 7, 6, 5, 4, 3, 2, 1], 8, '█▇▆▅▄▃▂▁'],
  [[4, 4, 2, 2, 1, 1], 3, '█▃▁'],
  [[3, 3, 3], 8, '▁▁▁'],
  [[1, Number.NaN, 2], 8, '▁█'],
  [[], 8, ''],
])('%j in %i characters', (values, width, expected) => {
  expect(sparkline(values, width)).toBe(expected);
});
