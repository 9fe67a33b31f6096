import { describe, expect, it } from 'vitest';
import { exchangeClosedForm, sizesOf } from './sizes.js';
import type { ExchangeSpec } from './spec.js';

const spec: ExchangeSpec = {
  workers: 4,
  parameters: 1000,
  shards: 10,
  bytesPerParameter: 1,
  resultBytesPerParameter: 2,
  lines: [{ share: 1, up: 100, down: 50 }],
  latency: 0.5,
  sumRate: 400,
};

describe('sizesOf', () => {
  it('deals the shards out in turn', () => {
    const size = sizesOf(spec);
    expect(size.reducers).toBe(4);
    expect([0, 1, 2, 3].map(size.contribution)).toEqual([300, 300, 200, 200]);
    expect([0, 1, 2, 3].map(size.result)).toEqual([600, 600, 400, 400]);
    expect(size.sumSeconds(0)).toBe(3);
    expect(sizesOf({ ...spec, shards: 2 }).reducers).toBe(2);
  });
});

describe('exchangeClosedForm', () => {
  it('takes the narrower of both ends, there and back', () => {
    // To the reducer 3 · 300 B at 50, from the worker 3 · 300 B at 100; sums 3 s; back 3 · 600 at 100, or at 50.
    expect(exchangeClosedForm(spec, sizesOf(spec))).toBe(1.5 + 18 + 3 + 36);
  });

  it('does not apply to uneven lines or workers', () => {
    const lines = [...spec.lines, { share: 1, up: 1, down: 1 }];
    expect(exchangeClosedForm({ ...spec, lines }, sizesOf(spec))).toBeNull();
    expect(exchangeClosedForm({ ...spec, spread: 1 }, sizesOf(spec))).toBeNull();
  });
});
