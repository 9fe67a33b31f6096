import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { buildChild, kill, nextOutput } from '../../test/child.js';
import { MeanfieldError, UsageError } from '../base/errors.js';
import { createRun, readRunFile, resumeRun, runPaths, writeRunFile } from './run-folder.js';

let parent: string;
let folder: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'run-'));
  folder = join(parent, 'runs/demo');
});
afterEach(() => rm(parent, { recursive: true }));

test('a run is made, changed, released and resumed', async () => {
  const run = await createRun(folder, { seed: 1, steps: [1, 2] });
  expect(run).toMatchObject({ content: { seed: 1, steps: [1, 2] }, notices: [], paths: runPaths(folder) });
  expect((await readdir(folder)).sort()).toEqual(['lock', 'run.json']);
  await writeRunFile(run.paths, { seed: 1, replicas: 2 });
  await run.lock.release();
  expect(await readRunFile(folder)).toEqual({ seed: 1, replicas: 2 });
  const again = await resumeRun(folder);
  expect(again.content).toEqual({ seed: 1, replicas: 2 });
  await again.lock.release();
});

test('an existing run is refused without resume, in use or not, and is left as it was', async () => {
  const run = await createRun(folder, { seed: 1 });
  await expect(createRun(folder, { seed: 2 })).rejects.toThrow(UsageError);
  await run.lock.release();
  await expect(createRun(folder, { seed: 2 })).rejects.toThrow(
    /holds a run already\. Continue it with `resume: true`, or/,
  );
  expect(await readRunFile(folder)).toEqual({ seed: 1 });
  expect(await readdir(folder)).toEqual(['run.json']);
});

test('a run in use is not resumed', async () => {
  const run = await createRun(folder, { seed: 1 });
  await expect(resumeRun(folder, { force: true })).rejects.toThrow(`in use by process ${process.pid}`);
  await run.lock.release();
});

test('two that make the same run at once: one does', async () => {
  const results = await Promise.allSettled([1, 2, 3, 4].map((seed) => createRun(folder, { seed })));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const result of results) if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(MeanfieldError);
});

test('a killed run is resumed with a notice, and what it left half done is repaired', async () => {
  const holder = await buildChild('run-holder');
  onTestFinished(() => holder.remove());
  const child = holder.start(folder);
  await nextOutput(child);
  await mkdir(join(folder, 'checkpoints/000002.tmp'), { recursive: true });
  await mkdir(join(folder, 'model.old'));
  await writeFile(join(folder, 'metrics.jsonl.0123abcd.tmp'), 'x');
  await writeFile(join(folder, 'frozen.safetensors.0123abcd.tmp'), 'x');
  await kill(child);
  const run = await resumeRun(folder);
  expect(run.notices).toEqual([expect.stringContaining(`from process ${child.pid}, which ended`)]);
  expect(await readdir(run.paths.checkpoints)).toEqual([]);
  expect((await readdir(folder)).sort()).toEqual(['checkpoints', 'lock', 'model', 'run.json']);
  await run.lock.release();
});

test('what was killed before run.json was written is made anew', async () => {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'run.json.0123abcd.tmp'), '{"se');
  await writeFile(join(folder, 'lock'), JSON.stringify({ host: 'h', pid: 1, started: 'x' }));
  const run = await createRun(folder, { seed: 1 }, { force: true });
  expect(run.notices).toHaveLength(1);
  await run.lock.release();
});

test.each<[string, () => Promise<unknown>, RegExp]>([
  ['no folder', async () => {}, /no run to resume in .*no such folder.*without `resume`/],
  ['a folder without run.json', () => mkdir(join(folder, 'model'), { recursive: true }), /the folder has no run\.json/],
])('resume with %s is wrong usage', async (_, prepare, reason) => {
  await prepare();
  await expect(resumeRun(folder)).rejects.toThrow(UsageError);
  await expect(resumeRun(folder)).rejects.toThrow(reason);
});

test.each(['', '{"seed":', '\0\0\0', '\ufffe'])(
  'a damaged run.json (%j) is told, and the lock is not kept',
  async (text) => {
    await (await createRun(folder, { seed: 1 })).lock.release();
    await writeFile(join(folder, 'run.json'), text);
    await expect(resumeRun(folder)).rejects.toThrow(/run\.json is damaged: expected JSON.*start a new run/s);
    expect(await readdir(folder)).toEqual(['run.json']);
  },
);

test('a folder with other things in it, or a file in its place, is refused', async () => {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'thesis.tex'), 'x');
  await expect(createRun(folder, {})).rejects.toThrow(/not empty \(thesis\.tex\)\. Choose another `run`/);
  await rename(join(folder, 'thesis.tex'), join(parent, 'file'));
  await expect(createRun(join(parent, 'file'), {})).rejects.toThrow(
    /file, or what is above it, is a file, expected a folder/,
  );
  expect(await readFile(join(parent, 'file'), 'utf8')).toBe('x');
});
