import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, open, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MeanfieldError } from '../base/errors.js';
import { sha256 } from '../base/hash.js';
import { listCheckpoints, loadCheckpoint, loadLatestCheckpoint, saveCheckpoint } from './checkpoint.js';

let folder: string;
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'checkpoint-')), 'checkpoints');
});
afterEach(() => rm(join(folder, '..'), { recursive: true, force: true }));

const tensor = (name: string, ...values: number[]) => ({
  name,
  shape: [values.length],
  data: Float32Array.of(...values),
});
const content = (value: number) => ({
  model: [tensor('w', value, 0.1)],
  optimizer: [tensor('m', -value), tensor('v', value * value)],
  state: { tokens: value * 10, sampler: [1, 2, null] },
  metadata: { format: 'pt' },
});
const save = (step: number, keep?: number) =>
  saveCheckpoint(folder, step, content(step), keep === undefined ? {} : { keep });

test('what was saved is loaded into given arrays', async () => {
  expect(await loadLatestCheckpoint(folder)).toEqual({ notices: [] });
  await save(500);
  const { checkpoint, notices } = await loadLatestCheckpoint(folder);
  expect(notices).toEqual([]);
  expect(checkpoint).toMatchObject({ step: 500, path: join(folder, '000500'), state: content(500).state });
  expect(checkpoint!.model.metadata).toEqual({ format: 'pt' });
  const moments = new Float32Array(2);
  await checkpoint!.optimizer.fill([
    { name: 'm', shape: [1], data: moments.subarray(0, 1) },
    { name: 'v', shape: [1], data: moments.subarray(1) },
  ]);
  expect([...moments]).toEqual([-500, 250000]);
  expect([...(await checkpoint!.model.readFloat32('w'))]).toEqual([500, Math.fround(0.1)]);
  await checkpoint!.close();
  expect((await readdir(join(folder, '000500'))).sort()).toEqual([
    'model.safetensors',
    'optimizer.safetensors',
    'sha256',
    'state.json',
  ]);
});

test('the hashes are a file of sha256sum', async () => {
  await save(7);
  const lines = (await readFile(join(folder, '000007/sha256'), 'utf8')).trimEnd().split('\n');
  for (const name of ['model.safetensors', 'optimizer.safetensors', 'state.json']) {
    expect(lines).toContain(`${sha256(await readFile(join(folder, '000007', name)))}  ${name}`);
  }
  expect(lines).toHaveLength(3);
});

test('steps sort as numbers and foreign names are no checkpoints', async () => {
  for (const step of [2, 999_999, 1_000_000]) await save(step);
  for (const name of ['0000003', 'x', '12', '000009.bak']) await mkdir(join(folder, name));
  expect(await listCheckpoints(folder)).toEqual([2, 999_999, 1_000_000]);
});

test('keep deletes the oldest, and the one just saved stays', async () => {
  for (const step of [1, 2, 3, 4]) await save(step, 2);
  expect(await listCheckpoints(folder)).toEqual([3, 4]);
  await save(5, 1);
  expect(await readdir(folder)).toEqual(['000005']);
  await expect(save(6, 0)).rejects.toThrow('keep must be 1 or more, got 0');
  for (const step of [-1, 0.5]) await expect(save(step)).rejects.toThrow(`whole number from 0, got ${step}`);
});

test('going back behind damaged checkpoints deletes them at the next save', async () => {
  for (const step of [1, 2, 3]) await save(step);
  await save(2, 2);
  expect(await listCheckpoints(folder)).toEqual([1, 2]);
});

test('the same step again replaces the folder', async () => {
  await save(3);
  await saveCheckpoint(folder, 3, content(4));
  const checkpoint = await loadCheckpoint(folder, 3);
  expect((await checkpoint.model.readFloat32('w'))[0]).toBe(4);
  await checkpoint.close();
  expect(await readdir(folder)).toEqual(['000003']);
});

test('what a killed process left is cleaned away or put back', async () => {
  for (const step of [1, 2]) await save(step);
  await cp(join(folder, '000002'), join(folder, '000003.tmp'), { recursive: true });
  await cp(join(folder, '000001'), join(folder, '000001.old'), { recursive: true });
  await rename(join(folder, '000002'), join(folder, '000002.old'));
  const { checkpoint } = await loadLatestCheckpoint(folder);
  expect(checkpoint!.step).toBe(2);
  await checkpoint!.close();
  expect((await readdir(folder)).sort()).toEqual(['000001', '000002']);
});

describe('damage', () => {
  const flip = async (path: string) => {
    const file = await open(path, 'r+');
    const { size } = await file.stat();
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
    await file.write(Buffer.of(buffer[0]! ^ 1), 0, 1, size - 1);
    await file.close();
  };
  test.each<[string, string, (path: string) => Promise<void>]>([
    ['model.safetensors', 'a flipped bit', flip],
    ['optimizer.safetensors', 'a flipped bit', flip],
    ['state.json', 'a flipped bit', flip],
    ['sha256', 'a flipped bit', flip],
    ['model.safetensors', 'a cut', (path) => truncate(path, 50)],
    ['state.json', 'nothing in it', (path) => truncate(path, 0)],
    ['sha256', 'nothing in it', (path) => truncate(path, 0)],
    ['sha256', 'a line more', (path) => writeFile(path, 'x\n', { flag: 'a' })],
    ['optimizer.safetensors', 'its absence', (path) => rm(path)],
    ['sha256', 'its absence', (path) => rm(path)],
  ])('of %s by %s: falls back to the one before and says so', async (name, _, damage) => {
    for (const step of [1, 2]) await save(step);
    await damage(join(folder, '000002', name));
    await expect(loadCheckpoint(folder, 2)).rejects.toThrow(MeanfieldError);
    await expect(loadCheckpoint(folder, 2)).rejects.toThrow(new RegExp(`000002 is damaged: .*${name}`));
    const { checkpoint, notices } = await loadLatestCheckpoint(folder);
    expect(checkpoint!.step).toBe(1);
    expect((await checkpoint!.model.readFloat32('w'))[0]).toBe(1);
    await checkpoint!.close();
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(/checkpoint .*000002 is damaged: .* Went back to the one of step 1\./);
  });

  test('of all of them is an error that lists them and says what to do', async () => {
    for (const step of [1, 2]) await save(step);
    await flip(join(folder, '000001/state.json'));
    await flip(join(folder, '000002/model.safetensors'));
    await expect(loadLatestCheckpoint(folder)).rejects.toThrow(
      /No checkpoint in .* is sound:\n.*000002 is damaged: model\.safetensors and.*\n.*000001 .*state\.json.*\nRestore one/,
    );
  });

  test('a renamed folder is not taken for another step', async () => {
    await save(1);
    await rename(join(folder, '000001'), join(folder, '000009'));
    await expect(loadCheckpoint(folder, 9)).rejects.toThrow(/not of step 9: was its folder renamed/);
  });
});

describe('no space left', () => {
  const full = function* () {
    yield tensor('w', 1);
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  };

  test('keeps the checkpoint before, removes the unfinished one and says so', async () => {
    await save(1);
    await expect(saveCheckpoint(folder, 2, { ...content(2), optimizer: full() })).rejects.toThrow(
      /Cannot write .*000002: no disk space left .ENOSPC.\. What was saved before is unharmed; free some space/,
    );
    expect(await readdir(folder)).toEqual(['000001']);
    const { checkpoint } = await loadLatestCheckpoint(folder);
    expect(checkpoint!.step).toBe(1);
    await checkpoint!.close();
  });

  test('on a disk that is really full (needs the right to mount one)', async ({ skip }) => {
    await mkdir(folder);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder], { stdio: 'ignore' });
    } catch {
      skip('no right to mount a small disk here');
    }
    try {
      await save(1);
      const large = { name: 'w', shape: [200_000], data: new Float32Array(200_000) };
      await expect(saveCheckpoint(folder, 2, { ...content(2), model: [large] })).rejects.toThrow(/no disk space left/);
      expect(await readdir(folder)).toEqual(['000001']);
      await save(3);
      expect(await listCheckpoints(folder)).toEqual([1, 3]);
    } finally {
      execFileSync('umount', [folder]);
    }
  });
});
