import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { median, parseArgs, percentAbove, root, table } from './lib.js';

const program = `${root}dist/cli.js`;

/** Presets of `train` and the steps of a run of some seconds; steps that its progress is told after. */
const runs: readonly { readonly preset: string; readonly steps: number; readonly every: number }[] = [
  { preset: 'micro', steps: 120, every: 20 },
  { preset: 'mini', steps: 15, every: 3 },
  { preset: 'llama-mini', steps: 15, every: 3 },
  { preset: 'small', steps: 9, every: 2 },
];

/** The last of the JSON lines that our program prints. */
function ask(...args: readonly string[]): Record<string, unknown> {
  const out = execFileSync(process.execPath, [program, ...args, '--json'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 1e8,
  });
  return JSON.parse(out.trim().split('\n').at(-1)!) as Record<string, unknown>;
}

/** Milliseconds of a step of a run of `train`: the fastest stretch between two words of progress. */
async function fastestStep(args: readonly string[], every: number): Promise<number> {
  const child = spawn(process.execPath, [program, 'train', ...args, '--json'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const told: { step: number; at: number }[] = [];
  // Progress is told after every round, and between them as time passes.
  for await (const line of createInterface({ input: child.stdout })) {
    const at = performance.now();
    const event = JSON.parse(line) as { type: string; step: number };
    if (event.type === 'progress' && event.step % every === 0 && told.at(-1)?.step !== event.step)
      told.push({ step: event.step, at });
  }
  if (child.exitCode === null) await once(child, 'close');
  const stretches = told.slice(1).map(({ step, at }, i) => (at - told[i]!.at) / (step - told[i]!.step));
  if (child.exitCode !== 0 || stretches.length === 0) throw new Error(`train ${args.join(' ')} told no progress`);
  return Math.min(...stretches);
}

/**
 * `npm run bench -- plan-this [--rounds 3] [--data FILE]`: what `plan --cluster this` says that a step of `train` takes,
 * with a calibration measured just before, beside what it takes. The machine may be faster in one round than in another:
 * what was planned in a round is compared with what that one took, and the median of the rounds counts.
 */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const data = options.data ?? `${root}examples/tinyshakespeare.txt`;
  const folder = mkdtempSync(join(tmpdir(), 'meanfield-plan-this-'));
  const found = new Map(runs.map(({ preset }) => [preset, { planned: [] as number[], took: [] as number[] }]));
  const loads: string[] = [];
  try {
    for (let round = 0; round < Number(options.rounds ?? 3); round++) {
      const [rows, calibration] = [join(folder, 'this.csv'), join(folder, 'this.json')];
      ask('bench', '--calibrate', rows);
      ask('plan', 'calibrate', rows, '--to', calibration);
      for (const { preset, steps, every } of runs) {
        const trained = join(folder, preset);
        rmSync(trained, { recursive: true, force: true });
        const flags = ['--preset', preset, '--steps', String(steps), '--sync-every', String(every), '--device', 'cpu'];
        found.get(preset)!.took.push(await fastestStep([data, '--run', trained, ...flags, '--force'], every));
        // The model as it was trained: a small text leaves the vocabulary smaller than the preset's.
        const config = join(trained, 'model', 'config.json');
        const plan = () =>
          ask('plan', '--model', config, '--cluster', 'this', '--calibration', calibration) as {
            time: { total: number };
          };
        found.get(preset)!.planned.push(1000 * Math.min(plan().time.total, plan().time.total));
      }
      loads.push(loadavg()[0]!.toFixed(1));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  const all = (values: readonly number[]): string => values.map((value) => value.toFixed(0)).join(', ');
  table(
    ['train --preset', 'planned above taken', 'a step planned in each round, ms', 'taken, ms'],
    runs.map(({ preset }) => {
      const { planned, took } = found.get(preset)!;
      const ratio = median(planned.map((plan, i) => plan / took[i]!));
      return [preset, percentAbove(ratio, 1), all(planned), all(took)];
    }),
  );
  console.log(`Load after each round: ${loads.join(', ')}.`);
}
