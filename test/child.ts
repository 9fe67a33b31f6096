import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'tsdown';

const root = fileURLToPath(new URL('..', import.meta.url));

/** A program of `test/children/`, bundled so that a plain Node process runs it. */
export interface ChildProgram {
  start(...args: string[]): ChildProcess;
  remove(): Promise<void>;
}

/** Bundles `test/children/NAME.ts` for processes that a test starts, and kills. */
export async function buildChild(name: string): Promise<ChildProgram> {
  // Below the package, so that its dependencies are found.
  const outDir = await mkdtemp(join(root, 'node_modules/.child-'));
  await build({
    config: false,
    entry: { [name]: join(root, `test/children/${name}.ts`) },
    outDir,
    format: 'esm',
    fixedExtension: false,
    platform: 'node',
    dts: false,
    clean: false,
    logLevel: 'error',
  });
  const script = join(outDir, `${name}.js`);
  return {
    start: (...args) => spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] }),
    remove: () => rm(outDir, { recursive: true }),
  };
}

/** The next piece of text that a child prints; undefined when it ends without. */
export function nextOutput(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.stdout!.once('data', (data) => resolve(String(data)));
    child.once('close', () => resolve(undefined));
  });
}

/** Kills a child as a power cut would, and waits until it is gone. */
export async function kill(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await gone;
  }
}
