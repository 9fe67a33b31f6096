import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { buildChild, type ChildProgram, kill, nextOutput } from '../../test/child.js';
import { MeanfieldError } from '../base/errors.js';
import { sha256 } from '../base/hash.js';
import { Random } from '../base/random.js';
import { acquireLock } from './lock.js';

let holder: ChildProgram;
let folder: string;
beforeAll(async () => {
  holder = await buildChild('lock-holder');
});
afterAll(() => holder.remove());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'));
});
afterEach(() => rm(folder, { recursive: true }));

const lockFile = (value: unknown) => writeFile(join(folder, 'lock'), JSON.stringify(value));

test('a lock is held once, names its process, and can be taken again after release', async () => {
  const run = join(folder, 'deep/run');
  const lock = await acquireLock(run);
  expect(lock.notice).toBeUndefined();
  expect(JSON.parse(await readFile(join(run, 'lock'), 'utf8'))).toMatchObject({ host: hostname(), pid: process.pid });
  await expect(acquireLock(run, { force: true })).rejects.toThrow(`in use by process ${process.pid} on this machine`);
  await lock.release();
  expect(await readdir(run)).toEqual([]);
  await (await acquireLock(run)).release();
});

describe('with other processes', () => {
  test('a living one is refused by name, a killed one taken over with a notice', async () => {
    const child = holder.start(folder);
    const { pid } = JSON.parse((await nextOutput(child))!);
    const taking = acquireLock(folder, { force: true });
    await expect(taking).rejects.toThrow(MeanfieldError);
    await expect(taking).rejects.toThrow(new RegExp(`in use by process ${pid} on this machine.*another \`run\``));
    await kill(child);
    const lock = await acquireLock(folder);
    expect(lock.notice).toContain(`from process ${pid}, which ended without releasing it`);
    expect(await readdir(folder)).toEqual(['lock']);
    await lock.release();
  });

  test('one that ends in order leaves nothing', async () => {
    const child = holder.start(folder);
    await nextOutput(child);
    child.stdin!.end();
    await new Promise((resolve) => child.once('exit', resolve));
    expect(await readdir(folder)).toEqual([]);
  });

  test('of many that take over a stale lock at once, one holds it', async () => {
    for (let round = 0; round < 3; round++) {
      await lockFile({ host: hostname(), pid: 2 ** 22 + 1, started: 'never', round });
      const children = Array.from({ length: 6 }, () => holder.start(folder));
      const answers = (await Promise.all(children.map(nextOutput))).map((line) => JSON.parse(line!));
      const holders = answers.filter(({ pid }) => pid !== undefined);
      expect(holders).toHaveLength(1);
      for (const { refused } of answers.filter((answer) => !holders.includes(answer))) {
        expect(refused).toContain(`in use by process ${holders[0].pid}`);
      }
      await Promise.all(children.map(kill));
    }
  });
});

test('many takers in one process, early and late ones, over a stale lock: one holds it', async () => {
  const random = new Random(11);
  for (let round = 0; round < 25; round++) {
    await lockFile({ host: hostname(), pid: 2 ** 22 + 1, started: 'never', round });
    const late = async (ms: number) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      return acquireLock(folder);
    };
    const results = await Promise.allSettled(Array.from({ length: 12 }, () => late(random.below(4))));
    const held = results.filter((result) => result.status === 'fulfilled');
    expect(held).toHaveLength(1);
    await held[0]!.value.release();
    expect(await readdir(folder)).toEqual([]);
  }
});

test('a claim whose process died is claimed in turn', async () => {
  await lockFile({ host: hostname(), pid: 2 ** 22 + 1, started: 'never' });
  const claim = join(folder, `lock.${sha256(await readFile(join(folder, 'lock'), 'utf8')).slice(0, 16)}`);
  await writeFile(claim, JSON.stringify({ host: hostname(), pid: 2 ** 22 + 2, started: 'never' }));
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => acquireLock(folder)));
  const held = results.filter((result) => result.status === 'fulfilled');
  expect(held).toHaveLength(1);
  expect(held[0]!.value.notice).toContain(`from process ${2 ** 22 + 2}`);
  expect(await readdir(folder)).toEqual(['lock']);
});

test('a living process with the number of the dead one is not taken for it', async () => {
  await lockFile({ host: hostname(), pid: process.pid, started: 'another boot 17' });
  const lock = await acquireLock(folder);
  expect(lock.notice).toContain(`from process ${process.pid}, which ended`);
  await lock.release();
});

test.each([
  [
    'of another host',
    { host: 'elsewhere', pid: process.pid, started: 'x' },
    /process \d+ on elsewhere, .*`force: true`/,
  ],
  ['that is unreadable', 'what', /lock is unreadable.*`force: true`/],
  ['without a process', { host: 'elsewhere' }, /lock is unreadable.*`force: true`/],
])('a lock %s needs force, and its former holder does not release it', async (_, content, reason) => {
  await lockFile(content);
  await expect(acquireLock(folder)).rejects.toThrow(reason);
  const lock = await acquireLock(folder, { force: true });
  expect(lock.notice).toContain('by force');
  const mine = await readFile(join(folder, 'lock'), 'utf8');
  await lockFile({ host: 'a third', pid: 1, started: 'y' });
  await lock.release();
  expect(await readFile(join(folder, 'lock'), 'utf8')).toContain('a third');
  expect(JSON.parse(mine).pid).toBe(process.pid);
});
