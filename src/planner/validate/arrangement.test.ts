import { describe, expect, it } from 'vitest';
import { findCluster } from '../catalogue/index.js';
import { gpt3 } from '../step/step.test-support.js';
import { batchOf, degreesOf, interleaveOf, offloadOf, precisionOf, recomputeOf, zeroOf } from './arrangement.js';
import { Fields } from './fields.js';
import { cellsOf } from './rows.test-support.js';

const fields = (change: Readonly<Record<string, string>>): Fields => new Fields(cellsOf(change));
const h100 = findCluster('8xh100');

describe('degrees', () => {
  it('are the printed ones', () => {
    expect(degreesOf(fields({}))).toEqual({ data: 128, tensor: 8, pipeline: 1, context: 1, accelerators: 1024 });
  });

  it('give data parallelism what the others leave', () => {
    const left = fields({ dp: '', tp: '1 (4)', pp: '', cp: '2', n_accel: '64' });
    expect(degreesOf(left)).toEqual({ data: 32, tensor: 1, pipeline: 1, context: 2, accelerators: 64 });
    expect(left.assumptions).toEqual(['dp 32']);
    const wrong = fields({ dp: '999' });
    expect(degreesOf(wrong).data).toBe(128);
    expect(wrong.assumptions).toEqual(['dp 999 does not fit n_accel, taken as 128']);
    expect(degreesOf(fields({ n_accel: '', dp: '4', tp: '2' })).accelerators).toBe(8);
  });
});

describe('precision', () => {
  it.each([
    ['fp16', 'fp16'],
    ['fp16/bf16', 'bf16'],
    ['amp_bf16/DEFAULT', 'bf16'],
    ['amp_fp8/DEFAULT', 'fp8'],
    ['FP8-CS (FP8-MX)', 'fp8'],
    ['MXFP8', 'mxfp8'],
    ['NVFP4', 'nvfp4'],
    ['half', 'fp16'],
    ['float32', 'fp32'],
  ])('%s is %s', (text, format) => {
    expect(precisionOf(fields({ precision: text }), h100, undefined)).toBe(format);
  });

  it('that is not printed is the framework’s where the card has it, else 16 bits', () => {
    expect(precisionOf(fields({ precision: '?' }), h100, 'fp8')).toBe('fp8');
    expect(precisionOf(fields({ precision: '' }), h100, undefined)).toBe('bf16');
    expect(precisionOf(fields({ precision: '' }), findCluster('8xv100'), 'fp8')).toBe('fp16');
  });
});

describe('words', () => {
  it('of ZeRO, offloading and recomputation', () => {
    expect([zeroOf(fields({ zero_stage: 'FSDP' }), 0), zeroOf(fields({ zero_stage: '2' }), 0)]).toEqual([3, 2]);
    expect(zeroOf(fields({ zero_stage: '7' }), 1)).toBe(1);
    expect(['ZeRO-3', 'stage 1', 'full shard', 'HSDP'].map((text) => zeroOf(fields({ zero_stage: text }), 0))).toEqual([
      3, 1, 3, 2,
    ]);
    expect(zeroOf(fields({ zero_stage: '', framework: 'DeepSpeed ZeRO-3' }), 2)).toBe(3);
    expect(offloadOf(fields({ offload: 'cpu optimizer+param' }))).toBe('optimizer+parameters');
    expect([offloadOf(fields({ offload: 'optimizer' })), offloadOf(fields({ offload: 'none' }))]).toEqual([
      'optimizer',
      'none',
    ]);
    expect(recomputeOf(fields({ recompute: 'activation checkpointing' }))).toBe('full');
    expect(['full', 'none', 'selective', '?'].map((text) => recomputeOf(fields({ recompute: text })))).toEqual([
      'full',
      'none',
      'selective',
      undefined,
    ]);
  });

  it('of interleaving: more than one means the least that cuts a stage evenly', () => {
    expect(interleaveOf(fields({ vpp: '4' }), gpt3, 8)).toBe(4);
    expect(interleaveOf(fields({ vpp: '>1 (interleaved)' }), { ...gpt3, layers: 105 }, 35)).toBe(3);
    expect(interleaveOf(fields({ vpp: '>1' }), { ...gpt3, layers: 100 }, 8)).toBe(2);
    expect([interleaveOf(fields({ vpp: 'n/a' }), gpt3, 8), interleaveOf(fields({ vpp: '4' }), gpt3, 1)]).toEqual([
      1, 1,
    ]);
  });
});

describe('the batch', () => {
  it('is printed, or comes from what is', () => {
    const none = { micro_batch: '', grad_accum: '', global_batch_seqs: '' };
    expect(batchOf(fields({}), 128, true)).toMatchObject({ global: 2048, micro: 16 });
    expect(batchOf(fields({ ...none, global_batch_seqs: '2048', grad_accum: '4' }), 128, true).micro).toBe(4);
    expect(batchOf(fields({ ...none, micro_batch: '2', grad_accum: '3' }), 4, true)).toEqual({ micro: 2, steps: 3 });
    expect(batchOf(fields(none), 4, true)).toEqual({ micro: undefined, steps: 1 });
    expect(batchOf(fields(none), 4, false)).toMatchObject({ global: 65536, micro: undefined });
  });
});
