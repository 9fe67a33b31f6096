import { describe, expect, it } from 'vitest';
import { shippedConstants } from '../catalogue/constants.js';
import { predictRun } from './describe.js';
import { errorOf, fitEfficiencies, samplesOf } from './fit.js';
import { fitConstants } from './fit-constants.js';
import { cellsOf } from './rows.test-support.js';

describe('fitConstants', () => {
  it('gets nearer to rows that a machine with slower links made than efficiencies alone do', () => {
    const slower = { ...shippedConstants, time: { ...shippedConstants.time, linkEfficiency: 0.58 } };
    const rows = ['1', '2', '4', '8'].map((tp) => {
      const change = { tp, n_accel: String(64 * Number(tp)), dp: '64', micro_batch: '4', global_batch_seqs: '256' };
      const [sample] = samplesOf([cellsOf(change)], shippedConstants);
      return cellsOf({ ...change, step_time_s: String(predictRun(sample!.run, slower).step.time.total) });
    });
    const samples = samplesOf(rows, shippedConstants);
    const alone = errorOf(samples, fitEfficiencies(rows, shippedConstants));
    const fitted = fitConstants(rows, shippedConstants, 1);
    expect(alone).toBeGreaterThan(0.5);
    expect(errorOf(samples, fitted)).toBeLessThan(0.9 * alone);
    expect(fitted.time.attentionForward).toHaveLength(3);
  });
});
