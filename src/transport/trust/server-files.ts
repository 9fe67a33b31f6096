import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MeanfieldError } from '../../base/errors.js';
import { writeFileAtomic } from '../../base/files/atomic.js';
import { makeCertificate } from './certificate.js';
import { good, type KeptInvitation, keptInvitation, makeInvitation, unexpired } from './invitations.js';
import { makeNkey } from './keys.js';

const key = z.string().regex(/^U[A-Z2-7]{55}$/);
const name = z.string().regex(/^[\w-]{1,128}$/);

const schema = z.object({
  run: name,
  coordinatorSeed: z.string(),
  invitations: z.array(keptInvitation).default([]),
  /** PEM. */
  certificate: z.string(),
  /** By which others reach this machine, where the user has said so. */
  hosts: z.array(z.string()).optional(),
  /** Address and port once they are known, so that invitations stay right when the server is started again. */
  listen: z.string().optional(),
  port: z.int().optional(),
  /**
   * Bytes that the server may store. It is the same each time: a server that starts with fewer than it has set aside, as
   * when it takes what is free by then, leaves out streams (2.9.10).
   */
  room: z.int().positive().optional(),
  workers: z.array(z.object({ key, names: z.array(name) })),
  /** Keys that never come in again. */
  evicted: z.array(key),
});

/** What is kept of a server that we run: secrets, so for the owner's eyes only. */
export type ServerFile = z.output<typeof schema>;

export interface ServerPaths {
  readonly folder: string;
  readonly config: string;
  readonly secrets: string;
  readonly certificate: string;
  readonly key: string;
  readonly storage: string;
}

/** @param folder that keeps a server */
export function serverPaths(folder: string): ServerPaths {
  return {
    folder,
    config: join(folder, 'server.conf'),
    secrets: join(folder, 'secrets.json'),
    certificate: join(folder, 'certificate.pem'),
    key: join(folder, 'key.pem'),
    storage: join(folder, 'store'),
  };
}

/**
 * What was kept, with an invitation that is good for long enough; or all of it new when nothing was.
 *
 * @param names by which the server is reached
 * @throws MeanfieldError when the file is damaged
 */
export async function loadServerFile(
  paths: ServerPaths,
  run: string,
  names: readonly string[],
  terms: InvitationTerms,
): Promise<ServerFile> {
  const kept = await readServerFile(paths);
  const invitations = withInvitation(kept?.invitations ?? [], terms);
  if (kept) return { ...kept, invitations };
  const { certificate, key: privateKey } = await makeCertificate(names);
  await writeFileAtomic(paths.certificate, certificate);
  await writeFileAtomic(paths.key, privateKey, { secret: true });
  return { run, coordinatorSeed: makeNkey().seed, invitations, certificate, workers: [], evicted: [] };
}

/** What an invitation is to be like: `approve` as with the last one for everybody where it is not said. */
interface InvitationTerms {
  readonly hours: number;
  readonly approve: boolean | undefined;
}

/** Those that are good, the last of them one for everybody that still has half of its time. */
function withInvitation(
  kept: readonly KeptInvitation[],
  { hours, approve: wanted }: InvitationTerms,
): KeptInvitation[] {
  const there = unexpired(kept);
  const soon = Date.now() + (hours * 3600_000) / 2;
  const forAll = kept.filter(({ once }) => !once);
  const approve = wanted ?? forAll.at(-1)?.approve ?? false;
  const long = good(forAll).findLast((one) => one.approve === approve && one.expires > soon);
  // Starting again withdraws none.
  return [...there.filter((one) => one !== long), long ?? makeInvitation({ hours, once: false, approve })];
}

/** @returns undefined when there is none @throws MeanfieldError when it is damaged */
async function readServerFile(paths: ServerPaths): Promise<ServerFile | undefined> {
  let text: string;
  try {
    text = await readFile(paths.secrets, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new MeanfieldError(
      `${paths.secrets} is damaged. Delete ${paths.folder} to make a new server; workers then need a new invitation.`,
      { cause: error },
    );
  }
}

export async function writeServerFile(paths: ServerPaths, file: ServerFile): Promise<void> {
  await writeFileAtomic(paths.secrets, JSON.stringify(file, null, 2), { secret: true });
}
