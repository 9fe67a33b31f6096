import { describe, expect, it } from 'vitest';
import { shippedConstants } from '../catalogue/constants.js';
import { modelFlopPerToken } from '../catalogue/flop.js';
import { type DescribedRun, describeRun, predictRun } from './describe.js';
import { conventionFlop, inPrintedUnit, printedUnits } from './measure.js';
import { cellsOf } from './rows.test-support.js';

const run = describeRun(cellsOf(), shippedConstants) as DescribedRun;
const { step } = predictRun(run, shippedConstants);
const seconds = step.time.total;
const tokens = 2048 * 1024;

describe('inPrintedUnit', () => {
  it('gives the prediction in each unit', () => {
    const cells = cellsOf({ tokens_trained_B: '100' });
    const [time, flop, rate, mfu, hours, days] = printedUnits.map((unit) => inPrintedUnit(unit, cells, run, step));
    expect(time).toBe(seconds);
    expect(rate).toBeCloseTo(tokens / seconds / 1024, 6);
    // 96·B·T·l·h²·(1 + T/6h + V/16lh), arXiv 2104.04473.
    const printed = 96 * tokens * 42 * 4096 ** 2 * (1 + 1024 / (6 * 4096) + 51200 / (16 * 42 * 4096));
    expect(flop).toBeCloseTo(printed / seconds / 1024 / 1e12, 6);
    expect(mfu).toBeCloseTo((100 * tokens * modelFlopPerToken(run.workload, 1024)) / seconds / 1024 / 312e12, 6);
    expect(days).toBeCloseTo(((100e9 / tokens) * seconds) / 86400, 6);
    expect(hours).toBeCloseTo(days! * 24 * 1024, 3);
  });
});

describe('conventionFlop', () => {
  const flop = (flop_convention: string): number => conventionFlop(cellsOf({ flop_convention }), run);
  it('counts as the source counts', () => {
    const model = tokens * modelFlopPerToken(run.workload, 1024);
    expect(flop('model (6N + attn)')).toBe(model);
    expect(flop('hardware (8*P*T)')).toBe(8 * run.workload.parameters * tokens);
    expect(flop('hardware (96 formula, eq.3)') / model).toBeGreaterThan(1.3);
    expect(flop('not stated')).toBe(model);
    expect(flop('')).toBe(flop('hardware'));
    const without = { ...run, arrangement: { ...run.arrangement, recompute: 'none' as const } };
    expect(conventionFlop(cellsOf(), without)).toBe(model);
  });
});
