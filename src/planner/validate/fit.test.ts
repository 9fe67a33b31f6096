import { describe, expect, it } from 'vitest';
import { shippedConstants } from '../catalogue/constants.js';
import { predictRun } from './describe.js';
import { errorOf, fitEfficiencies, samplesOf } from './fit.js';
import { cellsOf } from './rows.test-support.js';

/** A row whose printed time is what the model says at an efficiency. */
function madeWith(efficiency: number, change: Readonly<Record<string, string>> = {}) {
  const [sample] = samplesOf([cellsOf(change)], shippedConstants);
  const run = { ...sample!.run, framework: { ...sample!.run.framework, efficiency } };
  const seconds = predictRun(run, shippedConstants).step.time.total;
  return cellsOf({ ...change, step_time_s: String(seconds) });
}

describe('fitEfficiencies', () => {
  it('finds the share that rows were made with, by pair, and the median as the default', () => {
    const v100 = { accel: 'V100-SXM3 (DGX-2)', accel_mem_GB: '32', micro_batch: '4' };
    const rows = [madeWith(0.8), madeWith(0.8, { dp: '64', n_accel: '512' }), madeWith(0.6, v100)];
    const { fitted, default: usual } = fitEfficiencies(rows, shippedConstants).efficiency;
    expect(fitted['Megatron-LM @ A100-SXM-40GB']).toBeCloseTo(0.8, 2);
    expect(fitted['Megatron-LM @ V100-SXM3-32GB']).toBeCloseTo(0.6, 2);
    expect(usual).toBeCloseTo(0.7, 2);
  });

  it('leaves other grades and rows without a throughput alone', () => {
    const rows = [cellsOf({ grade: 'B' }), cellsOf({ printed_unit: '' }), cellsOf({ step_time_s: '?' })];
    expect(samplesOf(rows, shippedConstants)).toEqual([]);
    expect(fitEfficiencies(rows, shippedConstants).efficiency).toEqual({
      fitted: {},
      kinds: { meanfield: shippedConstants.efficiency.kinds!.meanfield },
      default: shippedConstants.efficiency.default,
    });
  });

  it('measures the error that is left', () => {
    const rows = [madeWith(0.8)];
    const samples = samplesOf(rows, shippedConstants);
    expect(errorOf(samples, fitEfficiencies(rows, shippedConstants))).toBeLessThan(0.2);
    expect(errorOf(samples, { ...shippedConstants, efficiency: { fitted: {}, default: 0.4 } })).toBeGreaterThan(30);
  });
});
