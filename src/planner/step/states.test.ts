import { describe, expect, it } from 'vitest';
import { habitsOf } from '../catalogue/frameworks.js';
import type { Arrangement } from '../types.js';
import { stateBytes } from './states.js';
import { arrangement } from './step.test-support.js';

/** Mixed precision with Adam: 2 + 2 + 12 bytes (arXiv 1910.02054, §3.1). */
const adam = { ...habitsOf('default'), parameterBytes: 2, gradientBytes: 2, optimizerBytes: 12 };
const states = (parameters: number, data: number, change: Partial<Arrangement>) => {
  const { host, ...onDevice } = stateBytes(
    parameters,
    { ...arrangement, pipeline: 1, context: 1, data, ...change },
    adam,
  );
  return { host, total: Object.values(onDevice).reduce((a, b) => a + b) };
};

describe('model states', () => {
  it('are those of the ZeRO paper (figure 1: 7.5B parameters on 64 devices)', () => {
    const gigabytes = ([0, 1, 2, 3] as const).map((zero) => states(7.5e9, 64, { zero }).total / 1e9);
    expect(gigabytes[0]).toBeCloseTo(120, 6);
    expect(gigabytes[1]).toBeCloseTo(31.4, 1);
    expect(gigabytes[2]).toBeCloseTo(16.6, 1);
    expect(gigabytes[3]).toBeCloseTo(1.9, 1);
  });

  it.each([
    [1, [120, 120, 120]],
    [4, [52.5, 41.3, 30]],
    [16, [35.6, 21.6, 7.5]],
    [64, [31.4, 16.6, 1.88]],
    [256, [30.4, 15.4, 0.47]],
    [1024, [30.1, 15.1, 0.12]],
  ])('are those of its table 1 with %i-fold data parallelism', (data, printed) => {
    const computed = ([1, 2, 3] as const).map((zero) => states(7.5e9, data, { zero }).total / 1e9);
    for (const [i, value] of computed.entries()) expect(Math.abs(value - printed[i]!)).toBeLessThanOrEqual(0.06);
  });

  it('move to the host as ZeRO-Offload does: 2 bytes a parameter stay with stage 2, none with stage 3', () => {
    expect(states(1e9, 8, { zero: 2, offload: 'optimizer' })).toEqual({ host: 14e9 / 8, total: 2e9 });
    expect(states(1e9, 8, { zero: 3, offload: 'optimizer+parameters' })).toEqual({ host: 16e9 / 8, total: 0 });
    expect(states(1e9, 8, { zero: 1, offload: 'optimizer' })).toEqual({ host: 12e9 / 8, total: 4e9 });
  });

  it('with stage 3 and a pipeline keep what was gathered, and gradients whole', () => {
    const bytes = 2 / 8 + adam.gatherBytes + adam.reduceBytes + 12 / 8;
    expect(states(1e9, 8, { zero: 3, pipeline: 8 }).total).toBeCloseTo(bytes * 1e9, 3);
  });
});
