import { describe, expect, it } from 'vitest';
import { shippedConstants } from '../catalogue/constants.js';
import { calibrated, calibrationJson, readCalibration } from '../run/calibration.js';
import { plan } from '../run/plan.js';
import { calibrate } from './calibrate.js';
import { predictRow } from './row.js';
import { cellsOf, tableOf } from './rows.test-support.js';

/** Runs of a stack that reaches half of what the shipped constants say. */
const slow = ['1', '2', '4', '8', '16', '32'].map((micro_batch) => {
  const change = { framework: 'our own', accel: 'H100-SXM', accel_mem_GB: '80', micro_batch, year: '2025', grade: '' };
  const known = { ...shippedConstants, efficiency: { fitted: {}, default: 0.45 } };
  const { speed } = predictRow(cellsOf({ ...change, grade: 'A', step_time_s: '1' }), known);
  return { ...change, step_time_s: String(speed!.predicted) };
});

describe('calibrate', () => {
  const { calibration, pairs, unused } = calibrate(tableOf(...slow, { step_time_s: '' }));

  it('finds what a stack reaches, and how well without each row', () => {
    expect(unused).toBe(1);
    expect(pairs).toHaveLength(1);
    expect(pairs[0]).toMatchObject({ pair: 'default @ H100-SXM', rows: 6 });
    expect(pairs[0]!.efficiency).toBeCloseTo(0.45, 2);
    expect(pairs[0]!.leaveOneOutError).toBeLessThan(1);
    expect(pairs[0]!.shippedError).toBeGreaterThan(10);
    expect(calibration.points).toHaveLength(6);
    expect(calibrate(tableOf(slow[0]!)).pairs[0]!.leaveOneOutError).toBeNull();
  });

  it('is what a plan then rests on, intervals too', () => {
    const usual = plan('llama3-8b', '64xh100', { method: 'data' });
    const own = plan('llama3-8b', '64xh100', { method: 'data', calibration });
    expect(own.framework).toMatchObject({ efficiencySource: 'fitted' });
    expect(own.run!.seconds / usual.run!.seconds).toBeGreaterThan(1.5);
    expect(own.interval!.high - own.interval!.low).toBeLessThan(0.05);
    expect(calibrated(undefined)).toBe(shippedConstants);
  });

  it('is read as it was written', () => {
    const read = readCalibration(JSON.parse(JSON.stringify(calibrationJson(calibration))), 'x');
    expect(read.efficiency).toEqual(calibration.efficiency);
    expect(read.points).toHaveLength(6);
  });

  it('needs a row that says something', () => {
    expect(() => calibrate(tableOf({ printed_unit: '' }))).toThrow(/No row of the table can be used/);
    expect(() => calibrate('a,b\n1,2')).toThrow(/lacks the columns/);
  });
});
