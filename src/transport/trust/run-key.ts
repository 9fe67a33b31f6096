import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError } from '../../base/errors.js';
import { writeFileAtomic } from '../../base/files/atomic.js';
import { RunKey } from '../signed.js';
import { secretFolder } from './connection-file.js';

/**
 * The key by which a run's coordinators sign, from where the run keeps its secrets; a new one where there is none yet.
 *
 * @throws MeanfieldError when the file holds no such key
 */
export async function loadRunKey(runFolder: string): Promise<RunKey> {
  const path = join(await secretFolder(runFolder), FILE);
  const found = await read(path);
  if (found) return found;
  const key = RunKey.make();
  await writeFileAtomic(path, key.toPem(), { secret: true });
  return key;
}

/**
 * The same, for whoever gives orders.
 *
 * @throws MeanfieldError when there is none, or the file holds no such key
 */
export async function readRunKey(runFolder: string): Promise<RunKey> {
  const path = join(runFolder, 'nats', FILE);
  const found = await read(path);
  if (found) return found;
  throw new MeanfieldError(
    `${path} is not there: it should hold the run's key, by which orders to the coordinator are signed. It lies in the ` +
      "run's folder on each machine that coordinates the run; give the order there, or copy the file from there.",
  );
}

const FILE = 'run-key.pem';

async function read(path: string): Promise<RunKey | undefined> {
  let pem: string;
  try {
    pem = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return RunKey.fromPem(pem);
  } catch (cause) {
    throw new MeanfieldError(
      `${path} is damaged: it should hold the key by which the run's coordinators sign. Copy it from another machine ` +
        'that coordinates the run, or delete it: every worker then needs a new invitation.',
      { cause },
    );
  }
}
