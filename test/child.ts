import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'tsdown';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Sources bundled for plain Node processes, and where they lie. */
export interface Bundle {
  readonly folder: string;
  remove(): Promise<void>;
}

/** Bundles sources, named from the repository's folder, each as an entry of its own. */
export async function bundle(sources: Readonly<Record<string, string>>): Promise<Bundle> {
  // Below the package, so that its dependencies are found.
  const folder = await mkdtemp(join(root, 'node_modules/.child-'));
  await build({
    config: false,
    entry: Object.fromEntries(Object.entries(sources).map(([name, path]) => [name, join(root, path)])),
    outDir: folder,
    format: 'esm',
    fixedExtension: false,
    platform: 'node',
    dts: false,
    clean: false,
    logLevel: 'error',
  });
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** A program of `test/children/`, bundled so that a plain Node process runs it. */
export interface ChildProgram {
  start(...args: string[]): ChildProcess;
  remove(): Promise<void>;
}

/** Bundles `test/children/NAME.ts` for processes that a test starts, and kills. */
export async function buildChild(name: string): Promise<ChildProgram> {
  const { folder, remove } = await bundle({ [name]: `test/children/${name}.ts` });
  const script = join(folder, `${name}.js`);
  return {
    start: (...args) => spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'inherit'] }),
    remove,
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
