import { type ExecFileException, execFile } from 'node:child_process';
import { MeanfieldError } from '../../../base/errors.js';

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
  return new MeanfieldError(`${program} failed: ${said || error.message}`, { cause: error });
}
