import { describe, expect, it } from 'vitest';
import { shippedConstants } from '../catalogue/constants.js';
import { type DescribedRun, describeRun, predictRun } from './describe.js';
import { cellsOf } from './rows.test-support.js';

const run = (change: Readonly<Record<string, string>> = {}): DescribedRun => {
  const found = describeRun(cellsOf(change), shippedConstants);
  if (typeof found === 'string') throw new Error(found);
  return found;
};

it('spreads the experts of a mixture over a node where a row does not say', () => {
  const run = describeRun(
    cellsOf({ model: 'Mixtral 8x7B', layers: '32', accel: 'H100', n_accel: '128', tp: '1', pp: '4', dp: '32' }),
    shippedConstants,
  );
  expect(run).toMatchObject({ arrangement: { expert: 8, data: 32 }, assumptions: expect.arrayContaining(['ep 8']) });
});

describe('describeRun', () => {
  it('reads a whole description without assuming anything', () => {
    const { arrangement, pair, assumptions } = run();
    expect(arrangement).toMatchObject({ data: 128, tensor: 8, zero: 0, recompute: 'full', microBatch: 16 });
    expect(pair).toBe('Megatron-LM @ A100-SXM-40GB');
    expect(assumptions).toEqual([]);
  });

  it('says what it assumes for what is unknown or missing', () => {
    const { assumptions, framework } = run({ framework: 'Nobody 1', seq: '', recompute: '', micro_batch: '' });
    expect(framework.efficiencySource).toBe('default');
    expect(assumptions).toContain('seq 2048');
    expect(assumptions).toContain('framework "Nobody 1" unknown, defaults');
    expect(assumptions).toContain('micro_batch: the fastest that fits');
    expect(assumptions).toContain('recompute: as few layers as fit');
    expect(run({ framework: '' }).framework.name).toBe('default');
    expect(run({ printed_unit: 'days' }).assumptions[0]).toMatch(/^tokens_trained_B 17/);
  });

  it('holds gradients as the framework did on the day of the row', () => {
    const bloom = { framework: 'Megatron-DeepSpeed', precision: 'fp16/bf16', year: '2022' };
    const bytes = (notes: string, change = {}) => {
      const { framework, assumptions } = run({ ...bloom, notes, ...change });
      return [framework.habits!.gradientBytes, assumptions.some((each) => each.includes('16 bits alone'))];
    };
    expect(bytes('date 02-27; layers inferred')).toEqual([2, true]);
    expect(bytes('OOM row. date 02-28; layers inferred')).toEqual([6, false]);
    expect(bytes('date 12-31', { year: '2021' })).toEqual([2, true]);
    expect(bytes('no day')).toEqual([6, false]);
    expect(bytes('date 02-20', { year: '' })).toEqual([6, false]);
    expect(bytes('date 02-20', { framework: 'Megatron-LM' })[1]).toBe(false);
  });

  it('cuts a rank’s sequences by the pipeline where the framework of that year did', () => {
    const titan = { framework: 'torchtitan', year: '2024', accel: 'H100', accel_mem_GB: '', n_accel: '1024', tp: '8' };
    const piped = { ...titan, pp: '8', dp: '16', zero_stage: '3', micro_batch: '', global_batch_seqs: '512' };
    const cut = (change: Readonly<Record<string, string>>) => {
      const { arrangement, open, assumptions } = run({ ...piped, ...change });
      return [arrangement.microBatch, open.microBatch, assumptions.includes('micro_batch 4')];
    };
    expect(cut({})).toEqual([4, false, true]);
    expect(cut({ micro_batch: '2' })).toEqual([2, false, false]);
    // What was not cut so is left to be chosen: by another, in another year, without a pipeline, in printed steps.
    expect(cut({ framework: 'Megatron-Core' })[1]).toBe(true);
    expect(cut({ year: '2025' })[1]).toBe(true);
    expect(cut({ year: '' })[1]).toBe(true);
    expect(cut({ pp: '1', dp: '128' })[1]).toBe(true);
    expect(cut({ grad_accum: '4' })).toEqual([8, false, false]);
  });

  it('splits the sequence where recomputation is selective, as those who introduced both did', () => {
    expect(run({ recompute: 'selective' }).arrangement.sequenceParallel).toBe(true);
    expect(run({ recompute: 'selective', tp: '1', dp: '' }).arrangement.sequenceParallel).toBe(false);
    expect(run().arrangement.sequenceParallel).toBe(false);
  });

  it('gives the reason where not even a size is known', () => {
    const nothing = cellsOf({ params_B: '', layers: '', hidden: '' });
    expect(describeRun(nothing, shippedConstants)).toMatch(/neither layers, width nor parameters/);
  });
});

describe('predictRun', () => {
  it('chooses a micro-batch that divides the share of a rank, fits, and is faster than one sequence', () => {
    const open = run({ micro_batch: '' });
    const { arrangement, step } = predictRun(open, shippedConstants);
    expect(16 % arrangement.microBatch).toBe(0);
    expect(step.fits).toBe(true);
    const single = predictRun(run({ micro_batch: '1' }), shippedConstants);
    expect(arrangement.microBatch).toBeGreaterThan(1);
    expect(step.time.total).toBeLessThan(single.step.time.total);
  });

  it('takes a batch from the chosen micro-batch where none is printed', () => {
    const { arrangement } = predictRun(
      run({ micro_batch: '', grad_accum: '3', global_batch_seqs: '' }),
      shippedConstants,
    );
    expect(arrangement.globalBatch).toBe(128 * 3 * arrangement.microBatch);
  });

  it('recomputes only as many layers as memory asks for', () => {
    const llama = {
      framework: 'Megatron-Bridge',
      model: 'LLAMA3_70B',
      layers: '80',
      hidden: '8192',
      heads: '64',
      kv_heads: '8',
      ffn: '28672',
      seq: '8192',
      vocab: '128256',
      accel: 'DGX-GB200',
      accel_mem_GB: '',
      n_accel: '64',
      dp: '64',
      tp: '1',
      zero_stage: 'FSDP',
      precision: 'FP8',
      micro_batch: '2',
      global_batch_seqs: '256',
    };
    const times = ['none', '', 'full'].map(
      (recompute) => predictRun(run({ ...llama, recompute }), shippedConstants).step,
    );
    expect(times[0]!.fits).toBe(false);
    expect(times[1]!.fits).toBe(true);
    expect(times[1]!.memory.total).toBeCloseTo(times[1]!.memory.available, 0);
    expect(times[1]!.time.total).toBeGreaterThan(times[0]!.time.total);
    expect(times[1]!.time.total).toBeLessThan(times[2]!.time.total);
  });
});
