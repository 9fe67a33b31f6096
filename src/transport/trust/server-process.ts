import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { MeanfieldError, messageOf } from '../../base/errors.js';
import { writeFileAtomic } from '../../base/files/atomic.js';
import { makeFolder } from '../../base/files/make-folder.js';
import { processStart } from '../../base/files/process-identity.js';
import { type Spelling, spelledError } from '../../base/spelling.js';

const PROGRAM = 'nats-server';
/** Milliseconds that a server may take to start, to read its configuration anew, to end. */
const PATIENCE = 20_000;
const LOOK_EVERY = 10;
/** Milliseconds for another to have written down what it started. */
const ANOTHER = 500;
const RELOADED = /Reloaded server configuration|\[ERR\] Failed to reload.*/;

/** A `nats-server` of ours, which outlives us: workers go on while a coordinator is started anew. */
export interface ServerProcess {
  /** Where it listens, by its own account. */
  readonly port: number;
  /** Whether it ran already. */
  readonly found: boolean;
  /** Makes it read its configuration anew. @throws MeanfieldError when it refuses it or is gone */
  reload(): Promise<void>;
  /**
   * Starts it again where it has ended other than by {@link stop}.
   *
   * @returns whether it had
   * @throws MeanfieldError when it does not start
   */
  revive(): Promise<boolean>;
  stop(): Promise<void>;
}

const recordSchema = z.object({ pid: z.int().positive(), start: z.string(), port: z.int() });
type ServerRecord = z.output<typeof recordSchema>;

/**
 * Starts the server of a folder, or finds the one that runs.
 *
 * @param folder has `server.conf`; log and process are kept beside it
 * @throws MeanfieldError when there is no such program, or what its log says when it does not start
 */
export async function startServer(folder: string): Promise<ServerProcess> {
  const running = await runningServer(folder);
  return running ? serverProcess(folder, running, true) : serverProcess(folder, await launch(folder), false);
}

/** Ends the server of a folder, where one runs. */
export async function stopServer(folder: string): Promise<void> {
  const running = await runningServer(folder);
  if (running) await serverProcess(folder, running, true).stop();
}

async function launch(folder: string): Promise<ServerRecord> {
  await makeFolder(folder);
  for (const name of await readdir(folder)) if (isStale(name)) await rm(join(folder, name), { force: true });
  const before = await logLength(folder);
  const log = await open(logPath(folder), 'a', 0o600);
  try {
    const args = ['-c', join(folder, 'server.conf'), '--ports_file_dir', folder];
    const child = spawn(PROGRAM, args, { detached: true, stdio: ['ignore', log.fd, log.fd] });
    const ended = new Promise<Say>((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) =>
        resolve(error.code === 'ENOENT' ? INSTALL : () => `${PROGRAM} cannot be started: ${messageOf(error)}.`),
      );
      // Its end may come much later, when its folder is gone.
      child.once('exit', async () => resolve(startError(await logSince(folder, before).catch(() => ''))));
    });
    const port = await Promise.race([portOf(folder, child.pid), ended]);
    if (typeof port === 'function') {
      // It may still run, without a port that anyone knows.
      child.kill('SIGKILL');
      throw spelledError(MeanfieldError, port);
    }
    child.unref();
    const record = { pid: child.pid!, start: (await processStart(child.pid!)) ?? '', port };
    await writeFileAtomic(recordPath(folder), JSON.stringify(record));
    return record;
  } finally {
    await log.close();
  }
}

/** Where two look after one server, the slower finds the port taken. */
async function startedByAnother(folder: string, error: unknown): Promise<ServerRecord> {
  await sleep(ANOTHER);
  const running = await runningServer(folder);
  if (!running) throw error;
  return running;
}

/** What is wrong, in the spelling of whoever reads it. */
type Say = (spelling: Spelling) => string;

const INSTALL: Say = ({ option }) =>
  `There is no ${PROGRAM} on the PATH. Install it (Debian and Ubuntu: apt install nats-server; macOS: brew install ` +
  `nats-server; else https://nats.io/download), or name a running server by ${option('nats')}, such as nats://host:4222.`;

function serverProcess(folder: string, first: ServerRecord, found: boolean): ServerProcess {
  let record = first;
  let stopped = false;
  let reviving: Promise<boolean> | undefined;
  const lives = async () => (await processStart(record.pid)) === record.start;
  const revive = async () => {
    // Whoever stops a server removes its record; one that has died leaves it.
    if (stopped || (await lives()) || !(await recordOf(folder))) return false;
    record = (await runningServer(folder)) ?? (await launch(folder).catch((error) => startedByAnother(folder, error)));
    return true;
  };
  return {
    port: first.port,
    found,
    reload: async () => {
      const before = await logLength(folder);
      if (!(await lives()))
        throw new MeanfieldError(`Our ${PROGRAM} (process ${record.pid}) has ended. ${seeLog(folder)}`);
      process.kill(record.pid, 'SIGHUP');
      for (let waited = 0; waited < PATIENCE; waited += LOOK_EVERY) {
        await sleep(LOOK_EVERY);
        const said = RELOADED.exec(await logSince(folder, before))?.[0];
        if (said === undefined) continue;
        if (said.startsWith('[ERR]')) throw new MeanfieldError(`${PROGRAM} refuses its configuration: ${said}`);
        return;
      }
      throw new MeanfieldError(`${PROGRAM} has not read its configuration anew. ${seeLog(folder)}`);
    },
    revive: () => {
      reviving ??= revive().finally(() => {
        reviving = undefined;
      });
      return reviving;
    },
    stop: async () => {
      stopped = true;
      await reviving?.catch(() => {});
      if (await lives()) process.kill(record.pid, 'SIGTERM');
      for (let waited = 0; waited < PATIENCE && (await lives()); waited += LOOK_EVERY) await sleep(LOOK_EVERY);
      await rm(recordPath(folder), { force: true });
    },
  };
}

async function runningServer(folder: string): Promise<ServerRecord | undefined> {
  const record = await recordOf(folder);
  return record && (await processStart(record.pid)) === record.start ? record : undefined;
}

async function recordOf(folder: string): Promise<ServerRecord | undefined> {
  try {
    return recordSchema.parse(JSON.parse(await readFile(recordPath(folder), 'utf8')));
  } catch {
    // None, or torn: a server that nobody remembers holds its port, which the next one says.
    return undefined;
  }
}

/** Whether a file names the ports of a process that has ended: another may come to have its number. */
function isStale(name: string): boolean {
  const pid = /_(\d+)\.ports$/.exec(name)?.[1];
  if (pid === undefined) return false;
  try {
    return !process.kill(Number(pid), 0);
  } catch {
    return true;
  }
}

/** The server writes its port when it listens. */
async function portOf(folder: string, pid: number | undefined): Promise<number | Say> {
  const path = join(folder, `${PROGRAM}_${pid}.ports`);
  for (let waited = 0; waited < PATIENCE; waited += LOOK_EVERY) {
    try {
      const { nats } = JSON.parse(await readFile(path, 'utf8')) as { readonly nats: readonly string[] };
      return Number(/:(\d+)$/.exec(nats[0]!)![1]);
    } catch {
      await sleep(LOOK_EVERY);
    }
  }
  return () => `${PROGRAM} has not come to listen. ${seeLog(folder)}`;
}

function startError(log: string): Say {
  const line = log.split('\n').findLast((text) => /\[(ERR|FTL)\]/.test(text)) ?? log.trim().split('\n').at(-1) ?? '';
  const reason = line.replace(/^.*\[(ERR|FTL)\] /, '').replace(/^nats-server: /, '');
  return ({ option }) =>
    `${PROGRAM} does not start: ${reason || 'it says nothing'}. If its port is taken, choose another ${option('port')}.`;
}

async function logLength(folder: string): Promise<number> {
  return (await stat(logPath(folder)).catch(() => undefined))?.size ?? 0;
}

/** What the log has come to hold beyond so many bytes. */
async function logSince(folder: string, start: number): Promise<string> {
  return text(createReadStream(logPath(folder), { start }));
}

function logPath(folder: string): string {
  return join(folder, 'server.log');
}

function seeLog(folder: string): string {
  return `Its log: ${logPath(folder)}.`;
}

function recordPath(folder: string): string {
  return join(folder, 'server.json');
}
