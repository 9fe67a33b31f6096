import { rm, statfs } from 'node:fs/promises';
import { MeanfieldError } from '../../base/errors.js';
import { writeFileAtomic } from '../../base/files/atomic.js';
import { exists } from '../../base/files/exists.js';
import type { Gate } from '../transport.js';
import { secretFolder, writeConnection } from './connection-file.js';
import { encodeInvitation } from './invitation.js';
import { answerInvite, good, goodFor, type KeptInvitation, unexpired, useInvitation } from './invitations.js';
import { nkeyOf, userKey } from './keys.js';
import { beforePort, listenAddress, nearAddress, networkAddresses, reaches } from './listen-address.js';
import { Readings } from './readings.js';
import { loadRunKey } from './run-key.js';
import type { RunServer } from './run-server.js';
import { inboxOf, serverConfig } from './server-config.js';
import { loadServerFile, type ServerFile, type ServerPaths, serverPaths, writeServerFile } from './server-files.js';
import { startServer, stopServer } from './server-process.js';
import { supervise } from './supervise.js';

export interface OwnServerOptions {
  readonly run: string;
  readonly runFolder: string;
  /** Port to listen at, 0: a free one. By default that of the last time, else 4222, or any other when that is taken. */
  readonly port?: number;
  /** Names or addresses by which other machines reach this one; its network addresses unless given. */
  readonly hosts?: readonly string[];
  /** Hours for which the invitation is good. */
  readonly validHours: number;
  /** Whether a person must approve who comes by it; as with the last one unless given. */
  readonly approve?: boolean;
  /** Told for people: that the server had ended, and was started again. */
  readonly onNotice?: (message: string) => void;
}

/** A server that we run. */
export interface OwnServer extends RunServer {
  /** Whether it ran already. */
  readonly found: boolean;
}

const PORT = 4222;
/** Of the disk that is free, what a server may store: as nats-server has it by itself. */
const ROOM = 3 / 4;
/** As the server's configuration has it: one that is free. */
const FREE = -1;
/** The longest that a timer runs: milliseconds. */
const LONGEST = 2 ** 31 - 1;

/**
 * Starts a server of our own in the run's folder, or finds it running.
 *
 * @throws MeanfieldError when `nats-server` is not there or does not start
 */
export async function startOwnServer(options: OwnServerOptions): Promise<OwnServer> {
  const paths = serverPaths(await secretFolder(options.runFolder));
  const key = await loadRunKey(options.runFolder);
  const here = ['localhost', '127.0.0.1'];
  const certified = [...(options.hosts ?? networkAddresses()), ...here];
  const terms = { hours: options.validHours, approve: options.approve };
  let file = await loadServerFile(paths, options.run, certified, terms);
  if (options.hosts) file = { ...file, hosts: [...options.hosts] };
  const listen = listenAddress(file.hosts);
  const names = [...new Set([...(file.hosts ?? networkAddresses()), ...here])].filter((name) => reaches(listen, name));
  // A server that runs stays where it listens.
  if (file.listen !== undefined && file.listen !== listen) await stopServer(paths.folder);
  file = { ...file, listen, room: await roomOf(paths, file.room) };
  const write = async () => {
    await writeServerFile(paths, file);
    await writeFileAtomic(paths.config, configOf(file, paths, options.port), { secret: true });
  };
  const begin = async () => {
    await write();
    return startServer(paths.folder);
  };
  const server = await begin().catch(async (error) => {
    // Someone else's server has the usual port; nobody has an invitation with it yet.
    if (options.port !== undefined || file.port !== undefined || !/in use/.test(String(error))) throw error;
    file = { ...file, port: FREE };
    return begin();
  });
  // The configuration must name the port that was found, or reading it anew would move it.
  file = { ...file, port: server.port };
  const readings = new Readings(server, write);
  const apply = (urgent?: boolean) => readings.change(urgent);
  await apply();
  const supervision = supervise(readings, options.onNotice ?? (() => {}));
  let lapse: NodeJS.Timeout | undefined;
  const lapseNext = () => {
    clearTimeout(lapse);
    const next = Math.min(...unexpired(file.invitations).map(({ expires }) => expires));
    if (next === Number.POSITIVE_INFINITY) return;
    // A server that is gone by then lets nobody in either.
    const write = () =>
      void apply()
        .catch(() => {})
        .then(lapseNext);
    lapse = setTimeout(write, Math.min(next - Date.now() + 1000, LONGEST));
    lapse.unref();
  };
  lapseNext();
  const word = async ({ id, expires, seed }: KeptInvitation) =>
    encodeInvitation({
      id,
      run: options.run,
      coordinator: key.public,
      servers: names.map((name) => `tls://${beforePort(name)}:${server.port}`),
      credential: { kind: 'nkey', seed },
      certificate: file.certificate,
      access: 'own',
      expires,
    });
  const keep = async (invitations: readonly KeptInvitation[]) => {
    file = { ...file, invitations: [...invitations] };
    await apply();
    lapseNext();
  };
  const address = addressOf(file);
  const inbox = inboxOf(nkeyOf(file.coordinatorSeed).key);
  await writeConnection(options.runFolder, { run: options.run, ...address, inbox });
  return {
    found: server.found,
    address,
    inbox,
    gate: ownGate(
      () => file,
      (change, urgent) => {
        file = { ...file, ...change };
        return apply(urgent);
      },
    ),
    key,
    invitation: await word(file.invitations.at(-1)!),
    notice: undefined,
    serve: async (_, desk) => answerInvite(desk, { all: () => file.invitations, keep, word }),
    stop: async (finished) => {
      clearTimeout(lapse);
      readings.end();
      supervision.end();
      await server.stop();
      if (finished) await rm(paths.storage, { recursive: true, force: true });
    },
  };
}

/** What the server was given for all that it has stored, or of a disk where nothing is stored yet, a part of what is free. */
async function roomOf({ folder, storage }: ServerPaths, known: number | undefined): Promise<number> {
  if (known !== undefined && (await exists(storage))) return known;
  const { bavail, bsize } = await statfs(folder);
  return Math.max(1, Math.floor(ROOM * bavail * bsize));
}

function addressOf(file: ServerFile) {
  return {
    servers: [`tls://${beforePort(nearAddress(file.listen!))}:${file.port ?? PORT}`],
    credential: { kind: 'nkey' as const, seed: file.coordinatorSeed },
    certificate: file.certificate,
  };
}

function configOf(file: ServerFile, paths: ServerPaths, port: number | undefined): string {
  const invited = good(file.invitations).map(({ id, seed }) => ({ id, key: nkeyOf(seed).key }));
  return serverConfig({
    run: file.run,
    listen: `${beforePort(file.listen!)}:${file.port ?? (port === 0 ? FREE : (port ?? PORT))}`,
    storage: paths.storage,
    room: file.room!,
    certificateFile: paths.certificate,
    keyFile: paths.key,
    users: { coordinator: nkeyOf(file.coordinatorSeed).key, invited, workers: file.workers },
  });
}

function ownGate(
  current: () => ServerFile,
  change: (change: Partial<ServerFile>, urgent?: boolean) => Promise<void>,
): Gate {
  return {
    asksPerson: (key, by) => goodFor(current().invitations, by, userKey(key)).approve,
    admit: async (names, given, by) => {
      const { workers, evicted, invitations } = current();
      const key = userKey(given);
      if (evicted.includes(key)) throw new MeanfieldError('This key was evicted. Start the worker anew.');
      const others = workers.filter((one) => one.key !== key);
      const known = workers.find((one) => one.key === key)?.names ?? [];
      const all = [...new Set([...known, ...names])];
      const used = useInvitation(invitations, by, key);
      if (all.length > known.length)
        await change({ workers: [...others, { key, names: all }], invitations: [...used] });
      return JSON.stringify({ access: 'own' });
    },
    evict: async (names) => {
      const { workers, evicted } = current();
      const out = workers.filter((one) => one.names.some((name) => names.includes(name))).map(({ key }) => key);
      if (out.length === 0) return;
      await change({ workers: workers.filter(({ key }) => !out.includes(key)), evicted: [...evicted, ...out] }, true);
    },
    forget: async (names) => {
      const { workers } = current();
      const left = workers.map((one) => ({ ...one, names: one.names.filter((name) => !names.includes(name)) }));
      const kept = left.filter((one) => one.names.length > 0);
      if (kept.length < workers.length || left.some((one, i) => one.names.length < workers[i]!.names.length))
        await change({ workers: kept });
    },
  };
}
