import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadCheckpoint, saveCheckpoint } from '../run/checkpoint.js';
import type { FewBits } from '../training/moments.js';
import { tinyModel } from './local.test-support.js';
import { loadState, NO_PROGRESS, saveState, type TrainingProgress } from './saved-state.js';
import type { TeamState } from './team-state.js';

const { layout } = tinyModel(9);
const vector = (seed: number) => Float32Array.from({ length: layout.size }, (_, i) => Math.sin(seed * 1000 + i));
const sampler = (microBatches: number) => ({ microBatches, order: { seed: 1, context: 8, tokens: 100 } });
const progress: TrainingProgress = {
  ...NO_PROGRESS,
  step: 7,
  tokens: 700,
  seconds: 1.25,
  train_loss: 2.5,
  val_loss: null,
  best_val_loss: 2,
  pending: [{ step: 6, loss: 1.5, gradientNorm: 0.5 }],
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-state-'));
});
afterEach(() => rm(folder, { recursive: true }));

const reload = async () => {
  const checkpoint = await loadCheckpoint(folder, 7);
  try {
    return await loadState(checkpoint, layout);
  } finally {
    await checkpoint.close();
  }
};

describe('a saved state', () => {
  it.each([
    ['moments of all together', { moments: 1, momentum: false }],
    ['moments of each and an outer momentum', { moments: 2, momentum: true }],
  ])('comes back with %s', async (_name, { moments, momentum }) => {
    const team: TeamState = {
      round: 3,
      parameters: vector(1),
      moments: Array.from({ length: moments }, (_, i) => ({ moment1: vector(2 + i), moment2: vector(5 + i) })),
      samplers: [sampler(4), { ...sampler(5), lossScale: { scale: 1024, steps: 7 } }],
      ...(momentum && { outerMomentum: vector(9) }),
    };
    await saveState(folder, layout, progress, team, 2);
    expect(await reload()).toEqual({ progress, team });
  });

  it.each([
    ['bf16', [['BF16', 2 * layout.size]]],
    [
      'int8',
      [
        ['F32', 20],
        ['U8', layout.size],
      ],
    ],
  ] as const)('comes back with moments in %s, which are as such in its file', async (precision, tensors) => {
    const bits = (seed: number): FewBits =>
      precision === 'bf16'
        ? { values: Uint16Array.from(vector(seed), (x) => 65535 * Math.abs(x)) }
        : { values: Uint8Array.from(vector(seed), (x) => 255 * Math.abs(x)), scales: vector(seed).slice(0, 5) };
    const moments = [0, 1].map((i) => ({ moment1: bits(2 + i), moment2: bits(5 + i) }));
    const team = { round: 3, parameters: vector(1), moments, samplers: [sampler(4), sampler(5)] };
    await saveState(folder, layout, progress, team, 2);
    expect(await reload()).toEqual({ progress, team });
    const { optimizer, close } = await loadCheckpoint(folder, 7);
    const found = [...optimizer.tensors.values()].map(({ dtype, bytes }) => [dtype, bytes]);
    expect(found).toEqual(tensors.flatMap((one) => new Array(4).fill(one)));
    await close();
  });

  it('names the tensors as Hugging Face does', async () => {
    const moments = [{ moment1: vector(2), moment2: vector(3) }];
    const team = { round: 0, parameters: vector(1), moments, samplers: [sampler(0)] };
    await saveState(folder, layout, { ...NO_PROGRESS, step: 7 }, team, 2);
    const { model, optimizer, close } = await loadCheckpoint(folder, 7);
    expect([...model.tensors.keys()]).toContain('transformer.h.0.attn.c_attn.weight');
    expect([...optimizer.tensors.keys()].sort()).toEqual(['moment1', 'moment2']);
    await close();
  });

  it('is refused where it is of something else', async () => {
    const tensors = layout.entries.map(({ name, shape, size }) => ({ name, shape, data: new Float32Array(size) }));
    const states = [
      {},
      { step: -1 },
      { ...NO_PROGRESS, round: 1, samplers: [] },
      { ...progress, round: 1, samplers: 'x' },
      { ...progress, round: 1, samplers: [{ ...sampler(0), lossScale: { scale: 3, steps: 0 } }] },
    ];
    for (const state of states) {
      await saveCheckpoint(folder, 7, { model: tensors, optimizer: [], state });
      await expect(reload()).rejects.toThrow('is not the state of a run');
    }
  });

  it('is refused with a damaged byte', async () => {
    const moments = [{ moment1: vector(2), moment2: vector(3) }];
    await saveState(folder, layout, progress, { round: 0, parameters: vector(1), moments, samplers: [sampler(0)] }, 2);
    const path = join(folder, '000007/optimizer.safetensors');
    const bytes = await readFile(path);
    bytes[bytes.length - 5]! ^= 1;
    await writeFile(path, bytes);
    await expect(reload()).rejects.toThrow('optimizer.safetensors');
  });
});
