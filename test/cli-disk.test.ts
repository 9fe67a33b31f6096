import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { jsonLines, meanfield, TINY, text } from './command.js';

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
