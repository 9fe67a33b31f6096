import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fakeSlurm } from './fake-slurm.test-support.js';
import { submitScript, writeSlurmJob } from './submit.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-slurm-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a job', () => {
  it('is a script and an invitation that only its owner may read', async () => {
    const invitation = join(folder, 'jobs', 'a.invitation');
    const job = { name: 'meanfield-a', folder: join(folder, 'jobs'), invitation, workers: 2, cpus: 1, join: [] };
    const script = await writeSlurmJob({ ...job, program: ['node', 'cli.js'] }, 'secret');
    expect(script).toBe(join(folder, 'jobs', 'meanfield-a.sh'));
    expect(await readFile(script, 'utf8')).toMatch(/^#!\/bin\/bash\n#SBATCH --job-name=meanfield-a\n/);
    expect(await readFile(invitation, 'utf8')).toBe('secret\n');
    expect((await stat(invitation)).mode & 0o777).toBe(0o600);
  });

  it('is submitted, and its number read with and without a cluster behind it', async () => {
    const slurm = fakeSlurm({ sbatch: (args) => (args.includes('--x') ? '41;big\n' : '42\n') });
    expect(await submitScript(slurm.run, '/a.sh')).toBe('42');
    expect(await submitScript(slurm.run, '/a.sh', ['--x'])).toBe('41');
    expect(slurm.calls).toEqual([
      ['sbatch', '--parsable', '/a.sh'],
      ['sbatch', '--parsable', '--x', '/a.sh'],
    ]);
  });

  it('whose number cannot be read is an error', async () => {
    const { run } = fakeSlurm({ sbatch: () => 'Submitted batch job 42\n' });
    await expect(submitScript(run, '/a.sh')).rejects.toThrow(/expected a job's number/);
  });
});
