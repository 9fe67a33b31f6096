import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../base/errors.js';
import { type SlurmJob, slurmScript } from './script.js';

const job: SlurmJob = {
  name: 'meanfield-1a2b',
  folder: '/shared/100% mine',
  invitation: "/shared/it's.invitation",
  workers: 4,
  cpus: 8,
  program: ['/usr/bin/node', '/opt/mean field/cli.js'],
  join: ['--replicas', '2', '--threads', '4'],
};

const directives = (script: string) =>
  script
    .split('\n')
    .filter((line) => line.startsWith('#SBATCH '))
    .map((line) => line.slice('#SBATCH '.length));

describe('the batch script', () => {
  it('asks for an array of one-task jobs that may be requeued', () => {
    expect(directives(slurmScript(job))).toEqual([
      '--job-name=meanfield-1a2b',
      '--array=0-3',
      '--nodes=1',
      '--ntasks=1',
      '--cpus-per-task=8',
      '--output="/shared/100%% mine/%A_%a.log"',
      '--open-mode=append',
      '--requeue',
      '--signal=B:USR1@60',
    ]);
  });

  it('takes memory, time, partition and any option of sbatch', () => {
    const script = slurmScript({ ...job, memory: '8G', time: '2:00:00', partition: 'cpu', sbatch: ['--account=x'] });
    const lines = directives(script);
    expect(lines).toContain('--mem=8G');
    expect(lines).toContain('--time=2:00:00');
    expect(lines).toContain('--partition=cpu');
    expect(lines.at(-1)).toBe('--account=x');
  });

  it('is sound bash, and quotes what a shell would take apart', () => {
    const script = slurmScript(job);
    expect(spawnSync('bash', ['-n'], { input: script }).status).toBe(0);
    expect(script).toContain(
      `/usr/bin/node '/opt/mean field/cli.js' join - --replicas 2 --threads 4 < '/shared/it'\\''s.invitation' &\n`,
    );
  });

  it('never holds the invitation itself', () => {
    expect(slurmScript(job)).not.toMatch(/nats:|mf2/);
  });

  it('refuses values of more than one line, which would be directives of their own', () => {
    for (const wrong of [{ partition: 'a\n#SBATCH --x' }, { sbatch: ['--a\r'] }, { join: ['x\ny'] }, { memory: '1\0' }])
      expect(() => slurmScript({ ...job, ...wrong })).toThrow(UsageError);
    expect(() => slurmScript({ ...job, folder: '/a"b' })).toThrow(/no quotes/);
  });
});

describe('a task', () => {
  /** Runs the script with a worker of bash's; `scontrol` writes what it was told. */
  const play = (worker: string, prelude = '', env: Record<string, string> = {}) => {
    const script = slurmScript({ ...job, invitation: '/dev/null', program: ['bash', '-c', worker], join: [] });
    const input = `scontrol() { echo "scontrol $*"; }\nsleep() { command sleep 0.05; }\n${prelude}\n${script}`;
    const { status, stdout } = spawnSync('bash', ['-s'], { input, env: { ...process.env, SLURM_JOB_ID: '7', ...env } });
    return { status, stdout: stdout.toString().trim() };
  };
  /** Sends the script a signal a moment after it has started its worker. */
  const signal = (name: string) => `( command sleep 0.5; kill -${name} $$ ) &`;
  const leaves = 'trap "exit 0" TERM; for i in $(seq 100); do sleep 0.1; done';

  it('ends with its worker, once and for all, when the run is over, was used wrongly or has evicted it', () => {
    for (const status of [0, 2, 3]) expect(play(`echo life; exit ${status}`)).toEqual({ status, stdout: 'life' });
  });

  it('stays away when it is evicted just when its time is nearly over', () => {
    const evicted = 'trap "exit 3" TERM; for i in $(seq 100); do sleep 0.1; done';
    expect(play(evicted, signal('USR1'))).toEqual({ status: 3, stdout: '' });
  });

  it('starts a worker that dies again, and goes back into the queue when that does not help', () => {
    expect(play('echo life; exit 1')).toEqual({ status: 1, stdout: `${'life\n'.repeat(5)}scontrol requeue 7` });
    expect(play('echo life; kill -9 $$').stdout).toBe(`${'life\n'.repeat(5)}scontrol requeue 7`);
  });

  it('gives up after many restarts', () => {
    expect(play('exit 1', '', { SLURM_RESTART_COUNT: '19' }).stdout).toBe('scontrol requeue 7');
    expect(play('exit 1', '', { SLURM_RESTART_COUNT: '20' })).toEqual({ status: 1, stdout: '' });
  });

  it('leaves politely and takes its place in the queue again when its time is nearly over', () => {
    expect(play(leaves, signal('USR1'), { SLURM_RESTART_COUNT: '99' })).toEqual({
      status: 0,
      stdout: 'scontrol requeue 7',
    });
  });

  it('stays away when it is cancelled while its worker is down', () => {
    const slow = 'sleep() { command sleep 1; }';
    expect(play('echo life; exit 1', `${slow}\n${signal('TERM')}`)).toEqual({ status: 1, stdout: 'life' });
  });

  it('leaves politely and stays away when it is cancelled', () => {
    expect(play(leaves, signal('TERM'))).toEqual({ status: 0, stdout: '' });
  });
});
