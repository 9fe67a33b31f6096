import { expect, it } from 'vitest';
import { ParameterLayout } from '../model/layout.js';
import { layoutHash } from './layout-hash.js';

it('tells layouts apart by names and shapes, not by how parameters start', () => {
  const layout = (name: string, shape: readonly number[], fill = 0) =>
    new ParameterLayout([{ name, shape, initialization: { fill } }]);
  const hash = layoutHash(layout('a', [2, 3]));
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect(layoutHash(layout('a', [2, 3], 1))).toBe(hash);
  expect(layoutHash(layout('b', [2, 3]))).not.toBe(hash);
  expect(layoutHash(layout('a', [3, 2]))).not.toBe(hash);
});
