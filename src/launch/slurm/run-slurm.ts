import { type ExecFileException, execFile } from 'node:child_process';
import { MeanfieldError } from '../../base/errors.js';

/** Slurm's programs that we start. */
export type SlurmProgram = 'sbatch' | 'squeue' | 'scancel';

/** Starts a program and gives its standard output; tests put their own in its place. */
export type RunSlurm = (program: SlurmProgram, args: readonly string[]) => Promise<string>;

/**
 * Runs one of Slurm's programs.
 *
 * @throws MeanfieldError when it is not there, or with what it says when it fails
 */
export const runSlurm: RunSlurm = (program, args) =>
  new Promise((resolve, reject) => {
    // Slurm's numbers and messages in one form, whatever the user's settings are.
    const env = { ...process.env, LC_ALL: 'C', SLURM_TIME_FORMAT: 'standard' };
    execFile(program, args, { env, maxBuffer: 64 * 2 ** 20 }, (error, stdout, stderr) => {
      if (!error) resolve(stdout);
      else reject(slurmError(program, error, stderr));
    });
  });

function slurmError(program: SlurmProgram, error: ExecFileException, stderr: string): MeanfieldError {
  if (error.code === 'ENOENT')
    return new MeanfieldError(
      `${program} was not found on the PATH: expected a machine of a Slurm cluster, such as its login node.\n` +
        'Run this there, or start the workers by hand: meanfield join INVITATION on each machine.',
      { cause: error },
    );
  const said = stderr.trim().split('\n').slice(-4).join('\n');
  const hint = HINTS.find(([pattern]) => pattern.test(said))?.[1];
  return new MeanfieldError(`${program} failed: ${said || error.message}${hint === undefined ? '' : `\n${hint}`}`, {
    cause: error,
  });
}

/** What is behind Slurm's words that do not say it. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /invalid job array specification/i,
    'An array has at most MaxArraySize - 1 tasks here (scontrol show config | grep MaxArraySize): launch fewer workers ' +
      'at once, and more by another launch with the same invitation.',
  ],
  [
    /job violates accounting\/qos policy|max(jobs|submit)/i,
    'More jobs than this user or account may have (sacctmgr show assoc where user=$USER): launch fewer workers.',
  ],
  [/invalid partition/i, 'sinfo lists the partitions that there are.'],
];
