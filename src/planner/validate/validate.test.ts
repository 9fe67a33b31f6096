import { describe, expect, it } from 'vitest';
import { UsageError } from '../../base/errors.js';
import { shippedConstants } from '../catalogue/constants.js';
import { predictRow } from './row.js';
import { cellsOf, tableOf } from './rows.test-support.js';
import { validateRows } from './validate.js';

describe('validateRows', () => {
  it('averages judged rows by source, and keeps the other grades and skipped rows apart', () => {
    const text = tableOf(
      {},
      { id: 'two', source: 'other, "quoted"', n_accel: '512', dp: '64', step_time_s: '1.3', grade: 'A-' },
      { id: 'three', grade: 'B', peak_mem_GB: '30' },
      { id: 'four', grade: 'C' },
      { id: 'five', grade: 'X' },
      { id: 'six', printed_unit: '', peak_mem_GB: 'OOM', layers: '300', hidden: '20480', heads: '160', ffn: '' },
      { id: 'seven', peak_mem_GB: '25' },
    );
    const { rows, result } = validateRows(text);
    const first = predictRow(cellsOf(), shippedConstants).speed!.error;
    expect(rows.map((row) => row.id)).toEqual(['r0577', 'two', 'three', 'four', 'five', 'six', 'seven']);
    expect(result).toMatchObject({ type: 'result', rows: 3, skipped: 1 });
    expect(Object.keys(result.by_source)).toEqual(['Megatron-LM README Sep 2020', 'other, "quoted"']);
    expect(result.by_source['Megatron-LM README Sep 2020']).toMatchObject({ rows: 2 });
    expect(result.by_source['Megatron-LM README Sep 2020']!.mean_abs_error).toBeCloseTo(first, 3);
    const second = rows[1]!.speed!.error;
    expect(result.mean_abs_error).toBeCloseTo((2 * first + second) / 3, 2);
    expect(result.memory).toMatchObject({ rows: 1, out_of_memory: 1, out_of_memory_predicted: 1 });
    expect(result.grade_b).toMatchObject({ rows: 1, memory_rows: 1 });
    expect(result.grade_b.mean_abs_error).toBeCloseTo(first, 3);
    expect(result.grade_c).toMatchObject({ rows: 1, memory_rows: 0, memory_mean_abs_error: null });
  });

  it('has no mean where there is nothing to average', () => {
    const { result } = validateRows(tableOf({ grade: 'X' }));
    expect(result).toMatchObject({ rows: 0, skipped: 1, mean_abs_error: null, by_source: {} });
    expect(result.memory.mean_abs_error).toBeNull();
  });

  it('wants the calibration set’s columns, and says which are missing', () => {
    expect(() => validateRows('id,source\n1,2')).toThrow(UsageError);
    expect(() => validateRows('id,source\n1,2')).toThrow(/lacks the columns framework, model.*it has id, source/);
    expect(() => validateRows('')).toThrow(/empty/);
  });
});

/** Table 5 of arXiv 2205.05198, in nobody's fit: seconds of an iteration with full, and selective, recomputation. */
const korthikanti = [
  {
    layers: '48',
    hidden: '6144',
    heads: '64',
    n_accel: '8',
    pp: '1',
    vpp: '1',
    micro_batch: '4',
    global_batch_seqs: '4',
    seconds: [1.42, 1.1],
  },
  {
    layers: '96',
    hidden: '12288',
    heads: '96',
    n_accel: '64',
    pp: '8',
    vpp: '3',
    micro_batch: '1',
    global_batch_seqs: '64',
    seconds: [18.13, 13.75],
  },
  {
    layers: '105',
    hidden: '20480',
    heads: '128',
    n_accel: '280',
    pp: '35',
    vpp: '3',
    micro_batch: '1',
    global_batch_seqs: '280',
    seconds: [49.05, 37.83],
  },
  {
    layers: '128',
    hidden: '25600',
    heads: '160',
    n_accel: '512',
    pp: '64',
    vpp: '1',
    micro_batch: '1',
    global_batch_seqs: '512',
    seconds: [94.42, 71.49],
  },
];

describe('runs that no constant was fitted to', () => {
  it('come out within 18 %, and what selective recomputation gains within 7 points', () => {
    for (const { seconds, ...shape } of korthikanti) {
      const common = {
        ...shape,
        tp: '8',
        dp: '1',
        params_B: '',
        ffn: '',
        seq: '2048',
        accel: 'A100-SXM',
        accel_mem_GB: '80',
      };
      const text = tableOf(
        { ...common, recompute: 'full', step_time_s: String(seconds[0]) },
        { ...common, recompute: 'selective', step_time_s: String(seconds[1]) },
      );
      const [full, selective] = validateRows(text).rows.map((row) => row.speed!);
      expect(full!.error).toBeLessThan(18);
      expect(selective!.error).toBeLessThan(18);
      const gained = full!.predicted / selective!.predicted - seconds[0]! / seconds[1]!;
      expect(Math.abs(gained)).toBeLessThan(0.07);
    }
  });
});
