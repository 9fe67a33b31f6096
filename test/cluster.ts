import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { jsonLines, type Outcome, type Running, start, TINY } from './command.js';

/** A run that ends in a moment, once its workers are there. */
export const CLUSTER = [...TINY, '--host', '127.0.0.1', '--grace', '1'];
/** One that goes on until it is stopped. */
export const ENDLESS = [...CLUSTER, '--steps', '1000000', '--eval-every', '1000'];

const running: Running[] = [];
const folders: string[] = [];

/** Ends what a test has left behind: processes, and the servers of its runs. Call at a file's top. */
export function endLeftovers(): void {
  afterEach(async () => {
    for (const { child } of running) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await Promise.allSettled(running.splice(0).map(({ done }) => done));
    for (const folder of folders.splice(0)) await endServer(folder);
  });
}

/** Starts a coordinator and waits for its invitation. */
export async function coordinate(
  folder: string,
  ...args: readonly string[]
): Promise<Running & { readonly invitation: string }> {
  const run = start(['cluster', 'start', '--run', folder, '--json', ...args]);
  running.push(run);
  folders.push(folder);
  let written = '';
  run.child.stdout!.on('data', (text: string) => {
    written += text;
  });
  await run.said('"type":"invitation"');
  const invitation = /"invitation":"(mf2[^"]+)"/.exec(written)![1]!;
  return { ...run, invitation };
}

/** Takes part in a run. */
export function takePart(invitation: string, name: string, cache: string, ...args: readonly string[]): Running {
  const run = start(['join', invitation, '--name', name, '--cache', cache, '--threads', '1', '--json', ...args]);
  running.push(run);
  return run;
}

/** The last line that a command wrote. */
export function resultOf(outcome: Outcome): Record<string, unknown> {
  return jsonLines(outcome).at(-1) ?? {};
}

async function endServer(folder: string): Promise<void> {
  try {
    const { pid } = JSON.parse(await readFile(join(folder, 'nats', 'server.json'), 'utf8')) as { pid: number };
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended with its run.
  }
}
