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
  const path = join(await secretFolder(runFolder), 'run-key.pem');
  let pem: string;
  try {
    pem = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const key = RunKey.make();
    await writeFileAtomic(path, key.toPem(), { secret: true });
    return key;
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
