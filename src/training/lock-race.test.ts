import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { buildChild, kill } from '../../test/child.js';
import { Random } from '../base/random.js';

test('processes that take, release and are killed at random never hold a lock together', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lock-race-'));
  await writeFile(join(folder, 'holder'), '0');
  const racer = await buildChild('lock-racer');
  onTestFinished(() => racer.remove());
  const random = new Random(3);
  const said: string[] = [];
  const start = () => {
    const child = racer.start(folder);
    child.stdout!.on('data', (data) => said.push(...String(data).trim().split('\n')));
    return child;
  };
  const children: ChildProcess[] = [start(), start(), start()];
  for (let kills = 0; kills < 20; kills++) {
    await new Promise((resolve) => setTimeout(resolve, 50 + random.below(150)));
    const victim = random.below(children.length);
    await kill(children[victim]!);
    children[victim] = start();
  }
  await expect.poll(() => said.length, { timeout: 20_000 }).toBeGreaterThan(10);
  await Promise.all(children.map(kill));
  expect(said.filter((line) => line !== 'held')).toEqual([]);
  await rm(folder, { recursive: true });
});
