import { fileURLToPath } from 'node:url';
import { parseArgs, percentAbove, root, runJson, table } from './lib.js';

/** Runs of three steps with an evaluation and a checkpoint after each; what is not given is as for `train`. */
const runs: readonly object[] = [
  { preset: 'micro' },
  { preset: 'micro', batchSize: 64, context: 256 },
  { preset: 'mini' },
  { preset: 'mini', batchSize: 8, context: 1024 },
  { preset: 'mini', replicas: 2, threads: 1 },
  { preset: 'llama-mini', gradAccum: 2 },
  { preset: 'gpt2-124m', batchSize: 2, context: 256, validationFraction: 0.002 },
];

/** `npm run bench -- memory-need [--data FILE]`: the memory that a run is expected to take, beside its peak. */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const common = {
    corpus: [options.data ?? `${root}examples/tinyshakespeare.txt`],
    ...{ tokenizer: 'chars', steps: 3, evalEvery: 1, syncEvery: 2, validationFraction: 0.02 },
  };
  const script = fileURLToPath(new URL('run-memory.js', import.meta.url));
  const rows: (string | number)[][] = [];
  for (const run of runs) {
    const name = Object.entries(run).map(([key, value]) => `${key} ${value}`);
    const { expected, peak, skipped } = await runJson(process.execPath, [
      script,
      JSON.stringify({ ...common, ...run }),
    ]);
    const megabytes = (bytes: unknown) => `${(Number(bytes) / 1e6).toFixed(0)} MB`;
    if (skipped === undefined)
      rows.push([name.join(', '), megabytes(expected), megabytes(peak), percentAbove(Number(expected), Number(peak))]);
    else rows.push([name.join(', '), '-', '-', skipped]);
  }
  table(['run', 'expected', 'measured peak', 'difference'], rows);
}
