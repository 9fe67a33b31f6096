import { expect, test } from 'vitest';
import { UsageError } from '../../base/errors.js';
import { findCluster } from '../catalogue/index.js';
import { largestModel } from './largest-model.js';

const cluster = findCluster('8xh100');
const now = Date.parse('2026-01-01T00:00:00Z');

test('FLOP alone give the optimum of a law, whatever the cluster', () => {
  const { optimum, model } = largestModel(cluster, { flop: 5.76e23 }, 'chinchilla');
  // Approach 3 of arXiv 2203.15556, table A3: 40 G parameters for Gopher's budget.
  expect(optimum.parameters / 40e9).toBeGreaterThan(0.85);
  expect(optimum.parameters / 40e9).toBeLessThan(1.15);
  expect(model.parameters / optimum.parameters).toBeCloseTo(1, 1);
});

test('ten times the money trains a larger model, on more tokens', () => {
  const [small, large] = [1e3, 1e4].map((budgetUsd) => largestModel(cluster, { budgetUsd }).optimum);
  expect(large!.parameters / small!.parameters).toBeGreaterThan(2);
  expect(large!.parameters / small!.parameters).toBeLessThan(5);
  expect(large!.tokens).toBeGreaterThan(small!.tokens);
});

test('a later date allows a larger model', () => {
  const until = (date: string) => largestModel(cluster, { until: date, now }).optimum.parameters;
  expect(until('2026-01-11')).toBeGreaterThan(2 * until('2026-01-02'));
});

test.each([
  [{}, /Name a model, or a limit.*`budgetUsd`/],
  [{ budgetUsd: 1e-6 }, /Not even a model of a million parameters/],
  [{ until: 'tomorrow', now }, /Expected a date/],
  [{ until: '2025-01-01', now }, /is past/],
])('%j is refused', (options, expected) => {
  expect(() => largestModel(cluster, options)).toThrow(UsageError);
  expect(() => largestModel(cluster, options)).toThrow(expected);
});
