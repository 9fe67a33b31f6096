import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { root } from '../lib.js';
import type { Machine } from './network.js';

/** One JSON line of the command line, and when it came, in milliseconds of this process. */
export interface Line {
  readonly at: number;
  readonly type: string;
  readonly [key: string]: unknown;
}

/** `meanfield ARGS --json` on a machine. */
export interface Program {
  readonly child: ChildProcess;
  /** All lines so far. */
  readonly lines: readonly Line[];
  /** Calls back for each line from now on. */
  onLine(listener: (line: Line) => void): void;
  /** The first line, before or after now, that fits; rejects when the program ends without. */
  line(fits: (line: Line) => boolean): Promise<Line>;
  /** Resolves with the exit code, null after a signal. */
  readonly done: Promise<number | null>;
  /** The end of what it wrote to standard error. */
  said(): string;
  kill(signal: NodeJS.Signals): void;
}

const BUILT = `${root}dist/cli.js`;

/** Starts the built command line, ours unless another is given. `ip netns exec` becomes the program, so that signals reach it. */
export function startProgram(args: readonly string[], machine?: Machine, build = BUILT): Program {
  const words = [...(machine?.prefix ?? []), process.execPath, build, ...args, '--json'];
  const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: Line[] = [];
  const listeners = new Set<(line: Line) => void>();
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4000);
  });
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (text) => {
    const line = { ...JSON.parse(text), at: performance.now() } as Line;
    lines.push(line);
    for (const listener of [...listeners]) listener(line);
  });
  const done = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const line = (fits: (line: Line) => boolean) =>
    new Promise<Line>((resolve, reject) => {
      const before = lines.find(fits);
      if (before) return resolve(before);
      const listener = (line: Line) => {
        if (!fits(line)) return;
        listeners.delete(listener);
        resolve(line);
      };
      listeners.add(listener);
      done.then((code) => reject(new Error(`meanfield ${args[0]} ended with ${code}: ${said.trim()}`)), reject);
    });
  return {
    child,
    lines,
    onLine: (listener) => listeners.add(listener),
    line,
    done,
    said: () => said.trim(),
    kill: (signal) => child.kill(signal),
  };
}
