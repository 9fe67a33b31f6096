import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTraining } from '../src/local/train.js';
import { parseArgs, root, table } from './lib.js';

const WARM_UP = 50;

/** `npm run bench -- memory [--data FILE] [--steps 1000]`: the resident memory of a run of two replicas, by steps. */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const corpus = [options.data ?? `${root}examples/tinyshakespeare.txt`];
  const steps = Number(options.steps ?? 1000);
  const folder = await mkdtemp(join(tmpdir(), 'meanfield-bench-'));
  const samples: { step: number; bytes: number }[] = [];
  try {
    const training = startTraining({
      ...{ corpus, run: join(folder, 'run'), preset: 'micro', tokenizer: 'chars', steps },
      ...{ replicas: 2, threads: 1, evalEvery: 250 },
    });
    for await (const event of training) {
      if (event.type === 'progress') samples.push({ step: event.step, bytes: process.memoryUsage().rss });
    }
    await training.result;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const base = samples.find(({ step }) => step >= WARM_UP)!.bytes;
  const wanted = new Set([WARM_UP, 100, 250, 500, 750, 1000]);
  const shown = samples.filter(({ step }) => wanted.has(step));
  table(
    ['step', 'resident memory', `against step ${WARM_UP}`],
    shown.map(({ step, bytes }) => [
      step,
      `${(bytes / 1e6).toFixed(0)} MB`,
      `${((100 * (bytes - base)) / base).toFixed(1)} %`,
    ]),
  );
}
