import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunSlurm } from '../../launch/slurm/index.js';
import { encodeInvitation } from '../../transport/trust/invitation.js';
import { createProgram } from '../program.js';
import { testOutput } from '../terminal/test-output.js';
import type { SlurmFlags } from './launch-options.js';
import { cancelSlurm, joinWords, launchSlurm, scaleSlurm } from './launch-slurm.js';

const closed = new AbortController().signal;
const invitation = encodeInvitation({
  coordinator: 'c'.repeat(43),
  run: 'r1',
  servers: ['nats://host:4222'],
  credential: { kind: 'none' },
  access: 'shared',
  expires: Date.now() + 60_000,
});
let folder: string;
let flags: SlurmFlags;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-launch-'));
  flags = { workers: 3, cpus: 4, folder, replicas: 2 };
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A Slurm whose queue is these looks, one after another. */
function slurm(...looks: string[]): { run: RunSlurm; calls: string[] } {
  const calls: string[] = [];
  const run: RunSlurm = async (program, args) => {
    calls.push([program, ...args].join(' '));
    if (program === 'sbatch') return '77\n';
    return program === 'squeue' ? (looks.length > 1 ? looks.shift()! : looks[0]!) : '';
  };
  return { run, calls };
}
const task = (index: number, state: string) => `77|${index}|${state}|n|meanfield-x|/jobs/x.sh\n`;

describe('launch slurm', () => {
  it('writes and submits the job, and says how to scale and end it', async () => {
    const output = testOutput(true);
    const { run, calls } = slurm('');
    expect(await launchSlurm(invitation, flags, { output, closed }, run)).toBe(0);
    const result = JSON.parse(output.stdout.at(-1)!);
    expect(result).toMatchObject({ type: 'result', job: '77', workers: 3 });
    expect(calls).toEqual([`sbatch --parsable ${result.script}`]);
    expect(await readFile(join(folder, `${result.name}.invitation`), 'utf8')).toBe(`${invitation}\n`);
    expect(await readFile(result.script, 'utf8')).toMatch(/ join - --replicas 2 --threads 2 < .*\.invitation &\n/);
    expect(output.stderr.join('')).toContain('meanfield launch slurm scale 77 N');
  });

  it('--dry-run shows the script and writes nothing', async () => {
    const output = testOutput();
    const { run, calls } = slurm('');
    expect(await launchSlurm(invitation, { ...flags, dryRun: true }, { output, closed }, run)).toBe(0);
    expect(output.stdout.join('')).toMatch(/^#!\/bin\/bash\n#SBATCH --job-name=meanfield-/);
    expect(output.stdout.join('')).not.toContain(invitation);
    expect([calls, await readdir(folder)]).toEqual([[], []]);
  });

  it('--follow tells the states until no worker is left', async () => {
    const output = testOutput();
    const { run } = slurm(task(0, 'COMPLETED') + task(1, 'FAILED'));
    expect(await launchSlurm(invitation, { ...flags, follow: true }, { output, closed }, run)).toBe(0);
    expect(output.stderr.join('')).toContain('1 completed, 1 failed\n');
    expect(output.stdout.join('')).toBe('No worker of job 77 is left: 1 completed, 1 failed.\n');
  });

  it('--follow ends with 130 when the reader goes away; the job goes on', async () => {
    const output = testOutput(true);
    const { run, calls } = slurm(task(0, 'RUNNING'));
    const gone = new AbortController();
    const following = launchSlurm(invitation, { ...flags, follow: true }, { output, closed: gone.signal }, run);
    setTimeout(() => gone.abort(), 50);
    expect(await following).toBe(130);
    expect(JSON.parse(output.stdout.at(-1)!)).toMatchObject({ interrupted: true, states: { RUNNING: 1 } });
    expect(calls.some((call) => call.startsWith('scancel'))).toBe(false);
  });

  it('refuses an invitation that is none before anything is written', async () => {
    const { run, calls } = slurm('');
    const wrong = launchSlurm('hello', flags, { output: testOutput(), closed }, run);
    await expect(wrong).rejects.toThrow(/Expected an invitation/);
    expect([calls, await readdir(folder)]).toEqual([[], []]);
  });

  it('scales up, down and not at all', async () => {
    const say = async (workers: number) => {
      const output = testOutput();
      const { run } = slurm(task(0, 'RUNNING') + task(1, 'RUNNING'));
      expect(await scaleSlurm('meanfield-x', workers, { output, closed }, run)).toBe(0);
      return output.stdout.join('');
    };
    expect(await say(5)).toBe('2 workers before; job 77 adds 3.\n');
    expect(await say(1)).toBe('2 workers before; told to leave: 77_1.\n');
    expect(await say(2)).toBe('There are 2 workers already.\n');
  });

  it('cancels', async () => {
    const output = testOutput();
    const { run, calls } = slurm(task(0, 'RUNNING'));
    expect(await cancelSlurm('meanfield-x', { output, closed }, run)).toBe(0);
    expect(calls.at(-1)).toBe('scancel 77');
    expect(output.stdout.join('')).toBe('Told to leave: job 77.\n');
  });

  it('shares the cores between replicas unless told otherwise', () => {
    const words = (more: object) => joinWords({ replicas: 2, ...more }, 7).join(' ');
    expect(words({})).toBe('--replicas 2 --threads 3');
    expect(words({ replicas: 9 })).toBe('--replicas 9 --threads 1');
    expect(words({ threads: 8, device: 'cuda' })).toBe('--replicas 2 --threads 8 --device cuda');
  });
});

describe('the command line of launch slurm', () => {
  const started = async (...args: string[]) => {
    let times = 0;
    const program = createProgram(async () => {
      times++;
    });
    await program.parseAsync(['launch', 'slurm', ...args], { from: 'user' });
    const slurm = program.commands.find((c) => c.name() === 'launch')!.commands.find((c) => c.name() === 'slurm')!;
    return { times, options: slurm.opts() };
  };

  it('takes options of sbatch that begin with dashes, and again', async () => {
    const { times, options } = await started('--sbatch', '--account=x', '--sbatch=--gres=gpu:1', 'INVITATION');
    expect(times).toBe(1);
    expect(options).toMatchObject({ sbatch: ['--account=x', '--gres=gpu:1'] });
  });

  it('knows scale and cancel', async () => {
    expect((await started('scale', '77', '3')).times).toBe(1);
    expect((await started('cancel', '77')).times).toBe(1);
  });

  it.each([
    [['scale', '77', 'many'], /Expected a whole number/],
    [['scale', '77'], /Missing required argument 'n'[\s\S]*See meanfield launch slurm scale --help/],
    [[], /Missing required argument 'invitation'/],
    [['I', '--workers', '0'], /Expected a whole number of 1 or more/],
    [['I', '--what'], /Unknown option '--what'[\s\S]*--partition/],
  ])('%j is wrong usage that says what is allowed', async (args, expected) => {
    await expect(started(...args)).rejects.toThrow(expected);
  });
});
