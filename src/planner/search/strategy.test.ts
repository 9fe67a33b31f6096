import { expect, test } from 'vitest';
import type { Arrangement } from '../types.js';
import { strategyOf } from './strategy.js';

const plain = { data: 8, tensor: 1, pipeline: 1, context: 1, expert: 1, zero: 0, offload: 'none' } as Arrangement;

test.each([
  [{}, 'data parallel'],
  [{ data: 1 }, 'alone'],
  [{ zero: 3 }, 'ZeRO-3'],
  [{ zero: 2, offload: 'optimizer' }, 'ZeRO-2, offload'],
  [{ tensor: 8, zero: 1 }, 'tensor'],
  [{ tensor: 8, pipeline: 4 }, 'tensor + pipeline'],
  [{ pipeline: 4, context: 2, expert: 4, offload: 'optimizer+parameters' }, 'pipeline + context + expert, offload'],
] as const)('%j is %s', (change, expected) => {
  expect(strategyOf({ ...plain, ...change })).toBe(expected);
});
