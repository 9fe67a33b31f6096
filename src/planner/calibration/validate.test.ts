import { describe, expect, it } from 'vitest';
import { UsageError } from '../../base/errors.js';
import { shippedConstants } from './constants.js';
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
