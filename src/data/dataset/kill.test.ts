import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'tsdown';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDataset } from './open.js';
import { prepareDataset } from './prepare.js';

// The child is a plain process, so it needs the sources built; its imports are found from within the project.
const built = resolve('node_modules', '.cache', `meanfield-kill-${process.pid}`);
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'meanfield-kill-'));
  await build({
    config: false,
    entry: { data: 'src/data/index.ts' },
    platform: 'node',
    fixedExtension: false,
    dts: false,
    outDir: built,
    logLevel: 'silent',
  });
});
afterAll(() => {
  for (const path of [folder, built]) rmSync(path, { recursive: true, force: true });
});

const CHILD = `
  const [entry, text, folder, fraction, place] = process.argv.slice(1);
  const { prepareDataset } = await import(entry);
  let left = Number(place);
  const onProgress = () => { if (left-- === 0) process.kill(process.pid, 'SIGKILL'); };
  await prepareDataset({ paths: [text], tokenizer: 'bpe', vocabularySize: 265, workers: 0, shardTokens: 50000,
    folder, validationFraction: Number(fraction), onProgress });
`;

async function child(text: string, data: string, fraction: number, place: number): Promise<string | null> {
  const args = [
    '--input-type=module',
    '-e',
    CHILD,
    join(built, 'data.js'),
    text,
    data,
    String(fraction),
    String(place),
  ];
  const [, signal] = await once(spawn(process.execPath, args, { stdio: 'inherit' }), 'exit');
  return signal;
}

it('a process killed at any moment leaves nothing that is half believed', async () => {
  const text = join(folder, 'a.txt');
  const data = join(folder, 'data');
  writeFileSync(text, Array.from({ length: 100_000 }, (_, i) => `w${(i * 7919) % 5003} `).join(''));
  const options = { paths: [text], tokenizer: 'bpe', vocabularySize: 265, workers: 0, shardTokens: 50_000 } as const;
  const whole = await prepareDataset({ ...options, folder: join(folder, 'whole') });
  const expected = whole.train.read(0, whole.train.length);

  let killed = 0;
  for (let place = 0; ; place++) {
    // Another fraction first: there is always something old that must not be taken for the new.
    await prepareDataset({ ...options, folder: data, validationFraction: 0.5 });
    const signal = await child(text, data, 0.1, place);
    if (signal === null) break;
    killed++;
    if (existsSync(join(data, 'dataset.json'))) await (await openDataset(data)).train.verify();
    const { train } = await prepareDataset({ ...options, folder: data });
    expect(Buffer.compare(Buffer.from(train.read(0, train.length).buffer), Buffer.from(expected.buffer))).toBe(0);
  }
  expect(killed).toBeGreaterThan(4);
});
