import { execFileSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  cancelGroup,
  followGroup,
  groupText,
  runSlurm,
  type SlurmJob,
  scaleGroup,
  submitScript,
  writeSlurmJob,
} from '../../src/launch/slurm/index.js';
import { readGroup } from '../../src/launch/slurm/queue.js';
import { slurmThere, startSlurm, type TestSlurm } from './slurm.js';

// Jobs wait for Slurm's own clock, beside other tests.
vi.setConfig({ testTimeout: 180_000 });

/**
 * Stands in for `meanfield join -`, since it is Slurm's part that is tested here: it leaves a mark, and ends
 * when it is told to leave, or when the run is over (a file says so).
 */
const WORKER = `
[ "$1" = join ] && [ "$2" = - ] && [ "$(cat)" = INVITE ] || exit 2
echo "$$" > "$SLURM_JOB_ID.\${SLURM_RESTART_COUNT:-0}.started"
trap 'echo left > "$SLURM_JOB_ID.left"; exit 0' TERM
until [ -e over ]; do sleep 0.1; done
`;

describe.skipIf(!slurmThere)('workers under Slurm (skipped without it)', () => {
  let slurm: TestSlurm;
  let next = 0;

  beforeAll(() => {
    slurm = startSlurm(2);
  }, 120_000);
  afterAll(() => slurm?.stop());

  async function submit(workers: number): Promise<{ job: SlurmJob; array: string; at: (name: string) => string }> {
    const name = `meanfield-test-${next++}`;
    const folder = join(slurm.folder, name);
    const job: SlurmJob = {
      ...{ name, folder, workers, cpus: 1, join: [], sbatch: [`--chdir=${folder}`] },
      invitation: join(folder, 'invitation'),
      program: ['/bin/bash', join(folder, 'worker.sh')],
    };
    const script = await writeSlurmJob(job, 'INVITE');
    await writeFile(join(folder, 'worker.sh'), WORKER);
    return { job, array: await submitScript(runSlurm, script), at: (file) => join(folder, file) };
  }

  async function until<T>(what: string, look: () => Promise<T | false | undefined>): Promise<T> {
    const end = Date.now() + 60_000;
    while (Date.now() < end) {
      const found = await look();
      if (found) return found;
      await sleep(100);
    }
    throw new Error(`${what} did not come; Slurm says:\n${slurm.told()}`);
  }

  const states = async (job: string) => (await readGroup(runSlurm, job)).map(({ state }) => state).sort();
  const running = (job: string, count: number) =>
    until(`${count} running workers`, async () => (await states(job)).filter((s) => s === 'RUNNING').length === count);

  it('start, are followed, and end with the run', async () => {
    const { job, array, at } = await submit(3);
    await running(array, 3);
    const texts: string[] = [];
    for await (const state of followGroup(runSlurm, job.name, 200)) {
      if (texts.push(groupText(state)) === 1) await writeFile(at('over'), '');
    }
    expect(texts[0]).toBe('3 running');
    expect(texts.at(-1)).toBe('3 completed');
    const logs = (await readdir(at('.'))).filter((file) => file.endsWith('.log')).sort();
    expect(logs).toEqual([`${array}_0.log`, `${array}_1.log`, `${array}_2.log`]);
  });

  const marks = async (at: (file: string) => string, end: string) =>
    (await readdir(at('.'))).filter((file) => file.endsWith(end));

  it('come back in their place when one is killed', async () => {
    const { job, array, at } = await submit(1);
    const first = await until('the first life', async () => (await marks(at, '.started'))[0]);
    const pid = await until('its number', async () => Number(await readFile(at(first), 'utf8')));
    process.kill(pid, 'SIGKILL');
    await until('the second life', async () => {
      const now = Number(await readFile(at(first), 'utf8'));
      return now > 0 && now !== pid;
    });
    expect(await readFile(at(`${array}_0.log`), 'utf8')).toContain('the worker ended with 137');
    await writeFile(at('over'), '');
    await until('the end', async () => (await states(job.name)).join() === 'COMPLETED');
  });

  // Once in some hundred times Slurm itself never starts the second life: it is asked once more.
  it('leave and come back when Slurm takes their machine away', { retry: 1 }, async () => {
    const { job, array, at } = await submit(1);
    await until('the first life', async () => (await marks(at, '.started'))[0]);
    execFileSync('scontrol', ['requeue', `${array}_0`]);
    await until('a polite leave', async () => (await marks(at, '.left'))[0]);
    // Slurm lets a requeued task wait two minutes, and says so only when the first life's last process is gone.
    await until('the second life', async () => {
      if ((await marks(at, '.1.started'))[0]) return true;
      await sleep(500);
      if ((await states(array)).join() === 'PENDING')
        execFileSync('scontrol', ['update', `JobId=${array}_0`, 'StartTime=now']);
      return false;
    });
    await writeFile(at('over'), '');
    await until('the end', async () => (await states(job.name)).join() === 'COMPLETED');
  });

  it('are scaled up and down, and leave politely when they are cancelled', async () => {
    const { job, array, at } = await submit(1);
    await running(array, 1);
    const more = await scaleGroup(runSlurm, array, 3);
    expect(more).toMatchObject({ before: 1, workers: 3, cancelled: [] });
    await running(job.name, 3);
    const less = await scaleGroup(runSlurm, array, 2);
    expect(less.cancelled).toEqual([`${more.added}_1`]);
    await until('one that left', async () => (await states(array)).includes('CANCELLED'));
    expect((await readdir(at('.'))).filter((file) => file.endsWith('.left'))).toHaveLength(1);
    expect(await cancelGroup(runSlurm, array)).toEqual([array, more.added!].sort());
    await until('the end of all', async () => (await states(array)).every((state) => state === 'CANCELLED'));
    expect((await readdir(at('.'))).filter((file) => file.endsWith('.left'))).toHaveLength(3);
    expect(await cancelGroup(runSlurm, array)).toEqual([]);
  });

  it('of a job that Slurm does not know, and options that it refuses, are told', async () => {
    await expect(scaleGroup(runSlurm, '999999', 2)).rejects.toThrow(/Slurm knows no job 999999 of yours/);
    const { job } = await submit(1);
    const refused = submitScript(runSlurm, join(job.folder, `${job.name}.sh`), ['--partition=none']);
    await expect(refused).rejects.toThrow(/sbatch failed: .*invalid partition/);
    await cancelGroup(runSlurm, job.name);
  });
});
