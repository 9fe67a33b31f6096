import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError } from '../../base/errors.js';
import { writeFileAtomic } from '../../base/files/atomic.js';
import { makeFolder } from '../../base/files/make-folder.js';
import type { RunSlurm } from './run-slurm.js';
import { type SlurmJob, slurmScript } from './script.js';

/** Writes the invitation, which only its owner may read, and the script. @returns the script's path */
export async function writeSlurmJob(job: SlurmJob, invitation: string): Promise<string> {
  const script = join(job.folder, `${job.name}.sh`);
  const text = slurmScript(job);
  await makeFolder(job.folder);
  await writeFile(job.invitation, `${invitation}\n`, { mode: 0o600, flag: 'wx' });
  await writeFileAtomic(script, text);
  return script;
}

/**
 * Submits the script.
 *
 * @param args further options of sbatch, which go before those in the script
 * @returns the array's number
 */
export async function submitScript(run: RunSlurm, script: string, args: readonly string[] = []): Promise<string> {
  // The number, and on some sites a cluster's name behind a semicolon.
  const id = (await run('sbatch', ['--parsable', ...args, script])).trim().split(';')[0]!;
  if (!/^\d+$/.test(id)) throw new MeanfieldError(`sbatch wrote ${JSON.stringify(id)}; expected a job's number.`);
  return id;
}
