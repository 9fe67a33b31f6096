import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import type { TrainOptions } from '../options.js';
import { optionsOfDeepSpeed } from './to-options.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-deepspeed-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function read(config: unknown, given: TrainOptions = {}) {
  const file = join(folder, 'ds_config.json');
  await writeFile(file, typeof config === 'string' ? config : JSON.stringify(config));
  const { options, notice } = await optionsOfDeepSpeed(file, given);
  return { options, notice: notice.replaceAll(folder, '') };
}

test('a configuration as DeepSpeed documents it', async () => {
  const { options, notice } = await read({
    train_batch_size: 8,
    gradient_accumulation_steps: 2,
    optimizer: { type: 'Adam', params: { lr: 0.00015, betas: [0.8, 0.999], eps: 1e-8, weight_decay: 3e-7 } },
    scheduler: {
      type: 'WarmupDecayLR',
      params: { total_num_steps: 400, warmup_min_lr: 0, warmup_max_lr: 0.001, warmup_num_steps: 40 },
    },
    gradient_clipping: 1,
    fp16: { enabled: true, loss_scale: 0, initial_scale_power: 16 },
    zero_optimization: { stage: 3, offload_optimizer: { device: 'cpu', pin_memory: true }, overlap_comm: true },
    flops_profiler: { enabled: false, profile_step: 1 },
    steps_per_print: 2000,
    wall_clock_breakdown: false,
  });
  expect(options).toEqual({
    ...{ batchSize: 4, gradAccum: 2, optimizer: 'adamw', lr: 0.001, beta1: 0.8, beta2: 0.999, epsilon: 1e-8 },
    ...{ weightDecay: 3e-7, clip: 1, steps: 400, schedule: 'linear', minLr: 0, warmup: 40, precision: 'fp16' },
  });
  expect(notice).toMatch(/^\/ds_config\.json: read train_batch_size, gradient_accumulation_steps, optimizer\.type, /);
  for (const ignored of ['zero_optimization.stage', 'fp16.loss_scale', 'steps_per_print', 'warmup_type'])
    expect(notice.split('ignored ')[1]).toContain(ignored);
  expect(notice).not.toContain('flops_profiler');
});

test.each<[string, object, TrainOptions, object, string]>([
  ['shared moments', { stage: 1 }, { replicas: 2 }, { zero: 1 }, 'read zero_optimization.stage.'],
  ['what else a stage shares', { stage: 2 }, { replicas: 'auto' }, { zero: 1 }, 'stage 1 is taken'],
  ['shared gradients', { stage: 2 }, { replicas: 2 }, { zero: 2 }, 'read zero_optimization.stage.'],
  ['shared parameters', { stage: 3 }, { replicas: 4 }, { zero: 3 }, 'read zero_optimization.stage.'],
  ['matrices', { stage: 3 }, { replicas: 4, optimizer: 'muon' }, { zero: 1 }, 'optimizer (it has AdamW alone'],
  ['an adapter', { stage: 2 }, { replicas: 2, adapter: 'lora' }, { zero: 1 }, 'adapter (all parameters are trained)'],
  ['nothing', { stage: 0 }, { replicas: 2 }, {}, 'nothing that has a meaning'],
  ['one replica', { stage: 3 }, {}, {}, 'one replica has all of its state'],
  ['a model on disk', { stage: 3, offload_param: { device: 'nvme' } }, {}, { offload: 'all' }, 'one replica has all'],
  ['averages', { stage: 1 }, { replicas: 2, syncEvery: 5 }, {}, 'average every few steps'],
  ['a GPU', { stage: 1 }, { replicas: 2, device: 'cuda' }, {}, 'on a GPU each replica'],
])('a stage of ZeRO with %s', async (_, config, given, expected, told) => {
  const { options, notice } = await read({ zero_optimization: config }, given);
  expect(options).toEqual(expected);
  expect(notice).toContain(told);
});

test.each<[string, object, TrainOptions, object]>([
  [
    'all three',
    { train_batch_size: 48, train_micro_batch_size_per_gpu: 4, gradient_accumulation_steps: 3 },
    {},
    { replicas: 4 },
  ],
  ['two, and replicas', { train_batch_size: 48, train_micro_batch_size_per_gpu: 4 }, { replicas: 2 }, { gradAccum: 6 }],
  ['two', { train_batch_size: 48, gradient_accumulation_steps: 3 }, {}, { batchSize: 16 }],
  ['the whole alone', { train_batch_size: 48 }, { replicas: 4 }, { batchSize: 12 }],
  [
    'a micro-batch',
    { train_micro_batch_size_per_gpu: 4, train_batch_size: 'auto' },
    { replicas: 'auto' },
    { batchSize: 4 },
  ],
])('batches of %s', async (_, config, given, expected) => {
  expect((await read(config, given)).options).toMatchObject(expected);
});

test('schedules', async () => {
  const optimizer = { type: 'AdamW', params: { lr: 0.01 } };
  const constant = { type: 'WarmupLR', params: { warmup_num_steps: 5, warmup_type: 'linear' } };
  expect(await read({ optimizer, scheduler: constant })).toMatchObject({
    options: { lr: 0.01, minLr: 0.01, warmup: 5, schedule: 'linear' },
    notice: expect.not.stringContaining('ignored'),
  });
  const cosine = { type: 'WarmupCosineLR', params: { total_num_steps: 100, cos_min_ratio: 0.1 } };
  expect((await read({ optimizer, scheduler: cosine })).options).toEqual({
    ...{ optimizer: 'adamw', lr: 0.01, steps: 100, schedule: 'cosine', minLr: 0.001, warmup: 1000 },
  });
});

test.each([
  [{ offload_optimizer: { device: 'nvme', nvme_path: '/nvme' } }, { offload: 'moments' }],
  [{ offload_optimizer: { device: 'nvme' }, offload_param: { device: 'nvme' } }, { offload: 'all' }],
  [{ offload_optimizer: { device: 'cpu' }, offload_param: { device: 'none' } }, {}],
])('%j', async (zero_optimization, expected) => {
  expect((await read({ zero_optimization })).options).toEqual(expected);
});

test('what asks for nothing', async () => {
  expect(await read({ fp16: { enabled: false }, tensor_parallel: null, amp: { enabled: false } })).toEqual({
    options: {},
    notice: '/ds_config.json: read fp16.enabled.',
  });
  expect((await read({})).notice).toContain('nothing that has a meaning here');
});

test.each<[string, unknown, TrainOptions, string | RegExp]>([
  ['no JSON', '{', {}, 'is damaged: expected JSON'],
  ['a list', '[]', {}, 'must hold an object'],
  ['a slip', { gradient_cliping: 1 }, {}, 'Did you mean gradient_clipping'],
  ['a slip in a block', { zero_optimization: { stag: 2 } }, {}, 'zero_optimization.stage'],
  ['a block as a number', { optimizer: 3 }, {}, 'optimizer, which is no key'],
  ['a wrong value', { train_batch_size: -1 }, {}, 'wrong value of train_batch_size'],
  ['betas', { optimizer: { params: { betas: [0.9] } } }, {}, 'optimizer.params.betas'],
  ['batches that do not divide', { train_batch_size: 7, gradient_accumulation_steps: 2 }, {}, 'train_batch_size 7'],
  [
    'batches of other replicas',
    { train_batch_size: 8, train_micro_batch_size_per_gpu: 4, gradient_accumulation_steps: 1 },
    { replicas: 3 },
    '4 × 1 × 3',
  ],
  ['a whole of who knows how many', { train_batch_size: 8 }, { replicas: 'auto' }, '`replicas` as a number'],
  ['another optimiser', { optimizer: { type: 'Lamb' } }, {}, 'AdamW (Adam) and Muon'],
  ['decay in the gradient', { optimizer: { type: 'Adam', params: { adam_w_mode: false } } }, {}, 'adam_w_mode'],
  ['another schedule', { scheduler: { type: 'OneCycle' } }, {}, 'WarmupDecayLR'],
  ['a fall without an end', { scheduler: { type: 'WarmupDecayLR' } }, {}, 'total_num_steps'],
  ['a schedule without a rate', { scheduler: { type: 'WarmupLR' } }, {}, 'no rate'],
  ['a stage that there is none of', { zero_optimization: { stage: 4 } }, {}, 'zero_optimization.stage'],
  ['another stage', { zero_optimization: { stage: 1 } }, { replicas: 2, zero: 0 }, '`zero` is 0, and'],
  ['two precisions', { fp16: { enabled: true }, bf16: { enabled: true } }, {}, 'both fp16 and bf16'],
  ['what changes the sums', { sparse_attention: { mode: 'fixed' } }, {}, 'changes what is computed'],
  ['another option', { gradient_clipping: 2 }, { clip: 1 }, '`clip` is 1, and'],
  [
    'two lengths',
    { optimizer: { params: { lr: 1 } }, scheduler: { type: 'WarmupCosineLR', params: { total_num_steps: 9 } } },
    { minutes: 1 },
    'leave `minutes` out',
  ],
])('%s is refused', async (_, config, given, message) => {
  await expect(read(config, given)).rejects.toThrow(message);
});

test('whatever a file holds, it is options or a clear error', async () => {
  const file = join(folder, 'any.json');
  await fc.assert(
    fc.asyncProperty(fc.json({ maxDepth: 4 }), async (text) => {
      await writeFile(file, text);
      await optionsOfDeepSpeed(file, {}).catch((error) => expect(error).toBeInstanceOf(MeanfieldError));
    }),
    { numRuns: 200 },
  );
});
