import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MeanfieldError } from '../../base/errors.js';
import { writeFileAtomic } from '../../base/files/atomic.js';
import { makeFolder } from '../../base/files/make-folder.js';
import { credential } from './invitation.js';

const schema = z.object({
  /** The run's id on the server. */
  run: z.string().regex(/^[\w-]{1,128}$/),
  servers: z.array(z.string()).min(1),
  credential,
  certificate: z.string().optional(),
  inbox: z.string(),
});

/** How the owner of a run's folder reaches the run on its server. Holds secrets. */
export type RunConnection = z.output<typeof schema>;

/** Where a run folder keeps what belongs to NATS; for the owner's eyes only. */
export async function secretFolder(runFolder: string): Promise<string> {
  const folder = join(runFolder, 'nats');
  await makeFolder(folder, 0o700);
  await chmod(folder, 0o700);
  return folder;
}

export async function writeConnection(runFolder: string, connection: RunConnection): Promise<void> {
  await writeFileAtomic(pathIn(await secretFolder(runFolder)), JSON.stringify(connection, null, 2), { secret: true });
}

/** @throws MeanfieldError when the folder is no run between machines, or the file is damaged */
export async function readConnection(runFolder: string): Promise<RunConnection> {
  const path = pathIn(join(runFolder, 'nats'));
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new MeanfieldError(
      `${runFolder} is no run between machines that was started here: there is no ${path}. Name the run's folder as ` +
        'its coordinator has it, on the machine where that runs.',
      { cause: error },
    );
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new MeanfieldError(`${path} is damaged. Start the coordinator again, which writes it anew.`, {
      cause: error,
    });
  }
}

function pathIn(folder: string): string {
  return join(folder, 'connection.json');
}
