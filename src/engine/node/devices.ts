import { type ExecFileException, execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus } from 'node:os';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { workerFile } from '../../base/worker-file.js';
import type { StepCosts } from '../step-speed.js';
import type { NodeDevice } from './device-names.js';

/** What a device does with a number of threads. */
export interface DeviceSpeed {
  readonly threads: number;
  /** Best speed of a float32 matrix product: 10⁹ multiplications and additions a second. */
  readonly gflops: number;
}

/** What this machine can train on. */
export interface DeviceReport {
  readonly device: NodeDevice;
  readonly available: boolean;
  /** What it is, or why it cannot be used. */
  readonly description: string;
  /** Measured; empty when it cannot be used. Threads are the host's, so only the CPU is measured with several. */
  readonly speeds: readonly DeviceSpeed[];
  /** Of a small network: what a step costs where its vectors cross at every run, and where they stay on the device. */
  readonly step?: StepCosts;
  /** What to do to make it available. */
  readonly hint?: string;
}

/** What the measuring process prints. */
export type Probe = { readonly speeds: readonly DeviceSpeed[]; readonly step?: StepCosts } | { readonly error: string };

/** Measures one device with each number of threads; never rejects. */
export type ProbeDevice = (device: NodeDevice, threads: readonly number[]) => Promise<Probe>;

/** Where this installation has `onnxruntime-node`: npm, pnpm and workspaces put it in different places. */
function runtimeFolder(): string {
  return dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
}

/**
 * What to do about a missing CUDA provider: the command that adds it, since the published package does not carry it.
 *
 * @param folder where `onnxruntime-node` is
 * @param platform as in `process.platform` and `process.arch`; the provider is made for `linux-x64` alone
 */
export function cudaAdvice(
  folder: string = runtimeFolder(),
  platform: string = `${process.platform}-${process.arch}`,
): string {
  if (platform !== 'linux-x64') return `There is one for linux-x64 alone, and this is ${platform}: take cpu or webgpu.`;
  const script = join(folder, 'script', 'install.js');
  // From the folder where the user is it is shorter, and goes where npm and pnpm say.
  const near = relative(process.cwd(), script);
  const path = near.startsWith('..') || isAbsolute(near) ? script : near;
  const word = /[^\w./@+-]/.test(path) ? JSON.stringify(path) : path;
  return `Run once, where it may download:\n  node ${word} --onnxruntime-node-install=cuda12`;
}

const LIMIT_SECONDS = 60;

/** Measures a device in a process of its own, which may end badly or hang without harm to this one. */
export const probeInChild: ProbeDevice = (device, threads) =>
  new Promise((resolve) => {
    const args = [fileURLToPath(workerFile('probe-device')), device, ...threads.map(String)];
    const options = { timeout: LIMIT_SECONDS * 1000, killSignal: 'SIGKILL' as const };
    execFile(process.execPath, args, options, (failure, stdout) => {
      resolve(readProbe(stdout) ?? { error: failure ? reasonOf(failure) : 'its test printed nothing' });
    });
  });

/** @returns undefined when a process printed something else */
export function readProbe(text: string): Probe | undefined {
  try {
    const probe = JSON.parse(text) as Probe | null;
    return probe && (('speeds' in probe && Array.isArray(probe.speeds)) || 'error' in probe) ? probe : undefined;
  } catch {
    return undefined;
  }
}

function reasonOf(failure: ExecFileException): string {
  if (failure.killed) return `its test did not end within ${LIMIT_SECONDS} seconds`;
  return `its test ended with ${failure.signal ?? `code ${failure.code}`}`;
}

/** Whether the CUDA provider has been added to this installation. A GPU and its driver are needed as well. */
export function cudaInstalled(): boolean {
  const file = process.platform === 'win32' ? 'onnxruntime_providers_cuda.dll' : 'libonnxruntime_providers_cuda.so';
  return existsSync(join(runtimeFolder(), 'bin/napi-v6', process.platform, process.arch, file));
}

/**
 * Finds and measures the devices of this machine, one after another: some seconds.
 *
 * @param probe how a device is measured
 * @param cuda whether the CUDA provider is there
 */
export async function reportDevices(
  probe: ProbeDevice = probeInChild,
  cuda: boolean = cudaInstalled(),
): Promise<DeviceReport[]> {
  const cores = availableParallelism();
  const cpu = `${cpus()[0]?.model.trim() || process.arch}, ${cores} ${cores === 1 ? 'core' : 'cores'}`;
  const reports = [
    reportOf('cpu', cpu, await probe('cpu', [...new Set([1, cores])])),
    reportOf('webgpu', 'a GPU through WebGPU', await probe('webgpu', [1])),
  ];
  const missing = { error: 'the CUDA provider is not installed' };
  const report = reportOf('cuda', 'an NVIDIA GPU through CUDA', cuda ? await probe('cuda', [1]) : missing);
  return [...reports, cuda ? report : { ...report, hint: cudaAdvice() }];
}

function reportOf(device: NodeDevice, description: string, probe: Probe): DeviceReport {
  if ('speeds' in probe) return { device, available: true, description, ...probe };
  return { device, available: false, description: readable(probe.error), speeds: [] };
}

/** The part of a native error that says what happened, without the source file and condition before it. */
function readable(error: string): string {
  const line = error.split('\n')[0]!;
  return /Failed to .*/.exec(line)?.[0] ?? line;
}
