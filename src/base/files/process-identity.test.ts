import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { processStart } from './process-identity.js';

test('a living process has one start, another process another, a dead one none', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(child, 'spawn');
  const own = await processStart(process.pid);
  const start = await processStart(child.pid!);
  expect(own).toMatch(/\S/);
  expect(await processStart(process.pid)).toBe(own);
  expect(start).toMatch(/\S/);
  if (process.platform === 'linux') expect(start).not.toBe(own);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await processStart(child.pid!)).toBeUndefined();
});

test.skipIf(process.platform !== 'linux')('a killed process whose parent never asks is dead', async () => {
  // The shell's child ends at once and stays a zombie, because the program that replaces the shell does not wait for it.
  const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 30'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [pid] = await once(parent.stdout, 'data');
  await expect.poll(() => processStart(Number(pid))).toBeUndefined();
  parent.kill('SIGKILL');
  await once(parent, 'exit');
});

test.each([0, -1, 0.5, Number.NaN, 2 ** 40])('%d is no process', async (pid) => {
  expect(await processStart(pid)).toBeUndefined();
});
