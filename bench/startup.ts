import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, parseArgs, root, table } from './lib.js';

const program = `${root}dist/cli.js`;

/** Milliseconds from start to exit, several times in turn with the other programs. */
function measure(programs: Record<string, readonly string[]>, rounds: number): Map<string, number[]> {
  const times = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, args] of Object.entries(programs)) {
      const start = performance.now();
      const { status } = spawnSync(process.execPath, args, { stdio: 'ignore' });
      if (status !== 0) throw new Error(`${name} ended with ${status}`);
      times.set(name, [...(times.get(name) ?? []), performance.now() - start]);
    }
  }
  return times;
}

const plan = (model: string, cluster: string) => [program, 'plan', '--model', model, '--cluster', cluster];

/** Times the import of the package, `meanfield --help`, `info` of a small run and `plan` beside Node.js alone. `--rounds N`, 20 unless given. */
export async function run(args: string[]): Promise<void> {
  const rounds = Number(parseArgs(args).options.rounds ?? 20);
  const folder = mkdtempSync(join(tmpdir(), 'meanfield-startup-'));
  try {
    const [text, trained] = [join(folder, 'text.txt'), join(folder, 'run')];
    writeFileSync(text, 'the quick brown fox jumps over the lazy dog. '.repeat(100));
    const tiny = '--layers 1 --width 16 --heads 2 --context 8 --tokenizer bytes --steps 50 --threads 1'.split(' ');
    execFileSync(process.execPath, [program, 'train', text, '--run', trained, ...tiny], { stdio: 'ignore' });
    const times = measure(
      {
        'node, nothing': ['-e', '0'],
        "node, import 'meanfield'": [
          '--input-type=module',
          '-e',
          `await import(${JSON.stringify(`${root}dist/index.js`)})`,
        ],
        'meanfield --help': [program, '--help'],
        'meanfield train --help': [program, 'train', '--help'],
        'meanfield info': [program, 'info', trained],
        'meanfield plan, 17B on the machine of 2020': plan('turing-nlg-17b', 'azure-openai-2020'),
        'meanfield plan, 530B on 2,240 A100': plan('mt-nlg-530b', '2240xa100'),
      },
      rounds,
    );
    const rows = [...times].map(([name, all]) => [name, median(all).toFixed(0), Math.min(...all).toFixed(0)]);
    table(['from start to exit', 'median, ms', 'best, ms'], rows);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
