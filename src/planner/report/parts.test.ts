import { expect, test } from 'vitest';
import { searchArrangements } from '../search/search.js';
import { cluster, framework, knownStep, workload } from '../search/search.test-support.js';
import { estimatesOf, MEMORY_PARTS, TIME_PARTS } from './parts.js';

test('the parts shown add up to the whole', () => {
  const fixed = { globalBatch: 24, sequence: 1024, precision: 'bf16', flashAttention: true } as const;
  const { best } = searchArrangements(workload, cluster, framework, fixed, knownStep(16e9));
  const { memory, time } = best!.prediction;
  expect(MEMORY_PARTS.reduce((sum, [part]) => sum + memory[part], 0)).toBeCloseTo(memory.total, 0);
  expect(TIME_PARTS.reduce((sum, [part]) => sum + time[part], 0)).toBeCloseTo(time.total, 12);
});

test('estimates are told once for all fields that rest on them', () => {
  expect(
    estimatesOf({
      host: { kind: 'estimate', where: 'a laptop' },
      price: { kind: 'datasheet', where: 'a shop' },
      disk: { kind: 'estimate', where: 'a laptop' },
      power: { kind: 'estimate', where: 'a guess' },
    }),
  ).toEqual(['host, disk: a laptop.', 'power: a guess.']);
});
