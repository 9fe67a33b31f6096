import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shippedConstants } from '../catalogue/constants.js';
import { isJudged, predictRow } from './row.js';
import { cellsOf, columns } from './rows.test-support.js';

const predict = (change: Readonly<Record<string, string>> = {}) => predictRow(cellsOf(change), shippedConstants);

describe('predictRow', () => {
  it('compares in the printed unit: GPT-2 8B on 1,024 A100 within a quarter of 1.38 s', () => {
    const { speed, unit, skipped, efficiencySource } = predict();
    expect([unit, skipped, efficiencySource]).toEqual(['step_time_s', undefined, 'fitted']);
    expect(speed!.printed).toBe(1.38);
    expect(speed!.error).toBeCloseTo(100 * Math.abs(speed!.predicted / 1.38 - 1), 9);
    expect(speed!.error).toBeLessThan(25);
  });

  it('compares memory in GiB, with or without a speed', () => {
    const { memory, speed, skipped } = predict({ peak_mem_GB: '25', printed_unit: '' });
    expect([speed, skipped]).toEqual([undefined, undefined]);
    expect(memory!.predicted).toBeGreaterThan(10);
    expect(memory!.predicted).toBeLessThan(40);
  });

  it('says whether a run that did not fit is predicted not to', () => {
    const huge = { layers: '200', hidden: '20480', heads: '128', ffn: '81920', peak_mem_GB: 'OOM', printed_unit: '' };
    expect(predict(huge).outOfMemory).toBe('predicted');
    const tiny = {
      layers: '2',
      hidden: '512',
      heads: '8',
      ffn: '2048',
      peak_mem_GB: 'oom at step 3',
      printed_unit: '',
    };
    expect(predict({ ...tiny, micro_batch: '1' }).outOfMemory).toBe('missed');
    const { memory } = predict({ peak_mem_GB: '1' });
    const card = String(Math.ceil(memory!.predicted * 1.1));
    expect(predict({ peak_mem_GB: 'OOM', printed_unit: '', accel_mem_GB: card }).outOfMemory).toBe('within one step');
  });

  it.each([
    [{ grade: 'X' }, /grade X/],
    [{ printed_unit: '' }, /nothing printed/],
    [{ printed_unit: 'furlongs' }, /"furlongs" is none of step_time_s/],
    [{ step_time_s: 'about right' }, /no number in step_time_s/],
    [{ step_time_s: '-3' }, /no number in step_time_s/],
    [{ params_B: '', layers: '?', hidden: '' }, /neither layers, width nor parameters/],
    [{ n_accel: '999999999', tp: '1', dp: '' }, /Expected 1 to/],
  ])('skips %j and says why', (change, reason) => {
    const { skipped, speed } = predict(change as Record<string, string>);
    expect(skipped).toMatch(reason);
    expect(speed).toBeUndefined();
  });

  it('has a finite prediction or a reason for any cells', () => {
    const cell = fc.oneof(
      fc.string(),
      fc.constantFrom('OOM', '?', '1e308', '-1', '0', '1e9', 'NaN', '__proto__'),
      fc.nat().map(String),
    );
    const names = columns.split(',').filter((name) => !['printed_unit', 'grade', 'step_time_s'].includes(name));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...names), cell), { maxLength: 6 }), (changes) => {
        const { speed, skipped } = predict(Object.fromEntries(changes));
        expect(speed ? Number.isFinite(speed.error) : skipped !== undefined).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe('isJudged', () => {
  it('takes A and A- alone', () => {
    expect(['A', 'A-', 'a', 'B', 'A+', 'X', ''].map(isJudged)).toEqual([true, true, true, false, false, false, false]);
  });
});
