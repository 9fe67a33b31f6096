import { expect, it } from 'vitest';
import { CommittedModel } from './committed.js';
import type { Fragment } from './fragments.js';

const fragments: Fragment[] = [
  {
    start: 0,
    end: 2,
    shards: [
      { start: 0, end: 1 },
      { start: 1, end: 2 },
    ],
  },
  { start: 2, end: 4, shards: [{ start: 2, end: 4 }] },
];
const filled = (momentum: boolean) => {
  const committed = new CommittedModel(4, fragments, { momentum, moments: false });
  committed.load(momentum ? [Float32Array.of(1, 2, 3, 4), new Float32Array(4)] : [Float32Array.of(1, 2, 3, 4)]);
  return committed;
};

it('has the same hash for the same bits, however it came to them', () => {
  const [a, b] = [filled(true), filled(true)];
  const first = a.hash;
  expect(first).toMatch(/^[0-9a-f]{64}$/);
  expect(b.hash).toBe(first);
  a.vectors.parameters[3] = 5;
  a.changed(1);
  expect(a.hash).not.toBe(first);
  b.load([Float32Array.of(1, 2, 3, 5), new Float32Array(4)]);
  expect(b.hash).toBe(a.hash);
  b.vectors.momentum![0] = -0;
  b.changed(0);
  expect(b.hash).not.toBe(a.hash);
});

it('takes as many vectors as it has', () => {
  expect(filled(false).all).toHaveLength(1);
  expect(() => filled(false).load([new Float32Array(4), new Float32Array(4)])).toThrow('expected 1 vectors, got 2');
});
