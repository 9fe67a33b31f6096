import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

/** The repository's folder; benches run from `bench/dist/`. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

/** The Python that has the peers' packages (bench/peers/requirements.txt). */
export const python = process.env.MEANFIELD_PYTHON ?? 'python3';

/** Installs the peers that run in Node (bench/peers/package.json), which a contributor's own install leaves out. */
const INSTALL_PEERS = 'npm ci --ignore-scripts --prefix bench/peers';

/** A peer's figures, or why it has none. */
export type Outcome = Record<string, unknown> & { skipped?: string };

/** Runs a program that prints one JSON line last; a failure becomes a reason, never a figure. */
export function runJson(command: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    child.once('error', (error) => resolve({ skipped: error.message }));
    child.once('close', (code) => {
      if (code !== 0) return resolve({ skipped: err.trim().split('\n').at(-1) || `exit code ${code}` });
      try {
        resolve(JSON.parse(out.trim().split('\n').at(-1)!));
      } catch {
        resolve({ skipped: 'printed no figures' });
      }
    });
  });
}

/** A peer script of `bench/peers`; skipped, with the line that installs what it needs, where that is missing. */
export async function peer(name: string, args: readonly string[]): Promise<Outcome> {
  const script = `${root}bench/peers/${name}`;
  if (name.endsWith('.py')) return runJson(python, [script, ...args]);
  if (!existsSync(`${root}bench/peers/node_modules`)) return { skipped: `not installed: ${INSTALL_PEERS}` };
  return runJson(process.execPath, [script, ...args]);
}

/** Our own measuring process: memory and thread pools are those of one run alone. */
export const ours = (options: object): Promise<Outcome> =>
  runJson(process.execPath, [fileURLToPath(new URL('ours.js', import.meta.url)), JSON.stringify(options)]);

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** By how much a value lies above another, as a table shows it. */
export function percentAbove(value: number, base: number): string {
  return `${((100 * (value - base)) / base).toFixed(2)} %`;
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0 ? Number.NaN : sorted[sorted.length >> 1]!;
}

/** `--name value` pairs and the rest. */
export function parseArgs(args: readonly string[]): { options: Record<string, string>; rest: string[] } {
  const options: Record<string, string> = {};
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i]!.startsWith('--')) options[args[i]!.slice(2)] = args[++i] ?? '';
    else rest.push(args[i]!);
  }
  return { options, rest };
}

/** What a figure is worth only together with: machine, versions, load. */
export function header(): string {
  const version = (name: string) =>
    JSON.parse(readFileSync(`${root}node_modules/${name}/package.json`, 'utf8')).version as string;
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  const load = loadavg()[0]!.toFixed(1);
  return (
    `${new Date().toISOString().slice(0, 10)}, ${cpus()[0]!.model.trim()}, ${availableParallelism()} cores, ${memory} GiB, ` +
    `Node ${process.versions.node}, onnxruntime-node ${version('onnxruntime-node')}, load ${load}`
  );
}

/** A Markdown table on standard output. */
export function table(columns: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  console.log(`\n| ${columns.join(' | ')} |\n|${columns.map(() => ' --- |').join('')}`);
  for (const row of rows) console.log(`| ${row.join(' | ')} |`);
  console.log();
}
