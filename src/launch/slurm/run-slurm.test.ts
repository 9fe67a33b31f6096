import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MeanfieldError } from '../../base/errors.js';
import { runSlurm } from './run-slurm.js';

const path = process.env.PATH;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-slurm-'));
  process.env.PATH = folder;
});
afterEach(async () => {
  process.env.PATH = path;
  await rm(folder, { recursive: true, force: true });
});

async function program(name: string, lines: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\n${lines}\n`);
  await chmod(join(folder, name), 0o755);
}

describe("Slurm's programs", () => {
  it('are given their arguments as they are', async () => {
    await program('squeue', 'for a in "$@"; do echo "[$a]"; done');
    expect(await runSlurm('squeue', ['--format=%F|%K', "a b'c"])).toBe("[--format=%F|%K]\n[a b'c]\n");
  });

  it('that are missing say where to run this, and what else there is', async () => {
    const missing = runSlurm('sbatch', []);
    await expect(missing).rejects.toThrow(MeanfieldError);
    await expect(missing).rejects.toThrow(
      /sbatch was not found on the PATH.*login node[\s\S]*meanfield join INVITATION/,
    );
  });

  it('that refuse an array of too many tasks are explained', async () => {
    await program(
      'sbatch',
      'echo "sbatch: error: Batch job submission failed: Invalid job array specification" >&2; exit 1',
    );
    await expect(runSlurm('sbatch', [])).rejects.toThrow(/Invalid job array specification\n.*MaxArraySize/);
  });

  it('that fail say why', async () => {
    await program('sbatch', 'echo "sbatch: error: invalid partition specified: x" >&2; exit 1');
    await expect(runSlurm('sbatch', [])).rejects.toThrow(
      'sbatch failed: sbatch: error: invalid partition specified: x',
    );
  });
});
