import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { jsonLines, meanfield, program, start, TINY, text } from './command.js';

const folder = mkdtempSync(join(tmpdir(), 'meanfield-disk-'));
const disk = join(folder, 'disk');
mkdirSync(disk);
const mounted =
  process.platform === 'linux' &&
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], { stdio: 'ignore' }).status === 0;

afterAll(() => {
  if (mounted) spawnSync('umount', ['-l', disk]);
  rmSync(folder, { recursive: true });
});

test.skipIf(!mounted)(
  'a full disk ends the run by name; what was saved is sound, and it goes on (may mount)',
  async () => {
    const corpus = join(folder, 'text.txt');
    await writeFile(corpus, text(4000));
    const run = join(disk, 'run');
    const train = (...options: string[]) =>
      meanfield('train', corpus, '--run', run, ...TINY, '--steps', '200', '--json', ...options);

    const full = await train('--keep', '100');
    expect(full.code).toBe(1);
    expect(full.stderr).toMatch(/space/);
    expect(full.stderr).not.toMatch(/\n {4}at /);
    expect(jsonLines(full).at(-1)).toMatchObject({ type: 'error', message: expect.stringMatching(/space/) });
    const saved = (await readdir(join(run, 'checkpoints'))).filter((name) => /^\d+$/.test(name)).sort();
    expect(saved.length).toBeGreaterThan(1);

    for (const name of saved.slice(0, -1)) await rm(join(run, 'checkpoints', name), { recursive: true });
    const resumed = await train('--keep', '1', '--resume');
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(jsonLines(resumed).find(({ type }) => type === 'started')).toMatchObject({ step: Number(saved.at(-1)) });
    expect(jsonLines(resumed).at(-1)).toMatchObject({ type: 'result', step: 200 });
  },
);

/** Runs `meanfield ARGS` with its standard output at the file that is always full. */
async function intoFull(...args: string[]): Promise<{ code: number | null; stderr: string }> {
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', full, 'pipe'] });
  closeSync(full);
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (part: string) => (stderr += part));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stderr };
}

describe.skipIf(process.platform !== 'linux')('standard output that is full', () => {
  test.each([['--help'], ['--version'], ['plan', 'top500'], ['plan', 'top500', '--json']])('%s %s', async (...args) => {
    const { code, stderr } = await intoFull(...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: Cannot write to standard output: no disk space left/);
    expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(10);
  });

  test('train has saved, and goes on', async () => {
    const corpus = join(folder, 'full.txt');
    await writeFile(corpus, text(4000));
    const train = [...['train', corpus, '--run', join(folder, 'full')], ...TINY, '--json'];
    const { code, stderr } = await intoFull(...train);
    expect(code).toBe(1);
    expect(stderr).toMatch(/Cannot write to standard output/);
    // Where the output failed before the first step there is nothing to resume, and nothing in the way.
    const begun = existsSync(join(folder, 'full'));
    const resumed = await meanfield(...train, ...(begun ? ['--resume'] : []));
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(jsonLines(resumed).at(-1)).toMatchObject({ type: 'result', step: 20 });
  });
});

test.skipIf(process.platform === 'win32')(
  'a closed terminal saves as Ctrl-C does; SIGUSR1 opens no debugger',
  async () => {
    const corpus = join(folder, 'hangup.txt');
    await writeFile(corpus, text(4000));
    const train = ['train', corpus, '--run', join(folder, 'hangup'), ...TINY, '--steps', '100000', '--json'];
    const running = start(train);
    await running.said('"type":"progress"');
    running.child.kill('SIGUSR1');
    await new Promise((resolve) => setTimeout(resolve, 300));
    running.child.kill('SIGHUP');
    const outcome = await running.done;
    expect(outcome.code, outcome.stderr).toBe(130);
    expect(outcome.stderr).not.toMatch(/debugger/i);
    expect(jsonLines(outcome).at(-1)).toMatchObject({ type: 'result', interrupted: true });
    expect((await readdir(join(folder, 'hangup', 'checkpoints'))).length).toBeGreaterThan(0);
  },
);

test('a run that can be nowhere says so at once', async () => {
  const corpus = join(folder, 'nowhere.txt');
  await writeFile(corpus, text(4000));
  for (const run of ['/proc/meanfield/x', join(corpus, 'x'), join(folder, 'n'.repeat(300))]) {
    const outcome = await meanfield('train', corpus, '--run', run, ...TINY);
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).not.toMatch(/fault of Meanfield/);
    expect(outcome.stderr).toMatch(/Cannot (make|write)|expected a folder/);
  }
});
