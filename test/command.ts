import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll } from 'vitest';

/** The built program. */
export const program = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

/** What a command did. */
export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Running {
  readonly child: ChildProcess;
  /** Resolves when standard error or output has come to hold this; rejects when the command ends without. */
  said(text: string | RegExp): Promise<void>;
  /** Standard output so far. */
  output(): string;
  readonly done: Promise<Outcome>;
}

/** Starts `meanfield ARGS` as a user would. */
export function start(args: readonly string[], cwd?: string): Running {
  if (!existsSync(program)) throw new Error('There is no dist/cli.js: run npm run build first, as npm test does.');
  const child = spawn(process.execPath, [program, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const written = { stdout: '', stderr: '' };
  const waiting = new Set<() => void>();
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text;
      for (const look of waiting) look();
    });
  }
  const done = new Promise<Outcome>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, ...written }));
  });
  const said = (text: string | RegExp) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        const all = written.stdout + written.stderr;
        if (typeof text === 'string' ? all.includes(text) : text.test(all)) resolve();
      };
      waiting.add(look);
      look();
      done.then(() => reject(new Error(`ended without saying ${text}:\n${written.stdout}${written.stderr}`)), reject);
    });
  return { child, said, done, output: () => written.stdout };
}

/** Runs `meanfield ARGS` to its end. */
export function meanfield(...args: readonly string[]): Promise<Outcome> {
  return start(args).done;
}

/** The JSON lines that a command wrote. */
export function jsonLines(outcome: Outcome): Record<string, unknown>[] {
  return outcome.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** The options of a model that trains in a moment. */
export const TINY = [
  ...['--layers', '1', '--width', '16', '--heads', '2', '--context', '8', '--tokenizer', 'bytes'],
  ...['--batch-size', '2', '--threads', '1', '--steps', '20', '--sync-every', '5', '--eval-every', '10'],
];

/** A folder for the tests of a file; call at its top. */
export function workFolder(): (...names: string[]) => string {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'meanfield-cli-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return (...names) => join(folder, ...names);
}

/** Some text that repeats itself, of about so many bytes. */
export function text(bytes: number): string {
  return 'the quick brown fox jumps over the lazy dog. '.repeat(Math.ceil(bytes / 45));
}
