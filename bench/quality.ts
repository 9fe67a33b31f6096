import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTraining } from '../src/local/train.js';
import type { TrainOptions } from '../src/run/options.js';
import { parseArgs, peer, root, table } from './lib.js';

/** nanoGPT's CPU setting but for how it is learned: 4 × 128, context 64, batch 12, characters of tiny Shakespeare. */
const nanoGpt: Omit<TrainOptions, 'corpus'> = {
  preset: 'micro',
  tokenizer: 'chars',
  batchSize: 12,
  evalEvery: 100,
  checkpointEvery: 100_000,
};

/** From the defaults, part by part, to what nanoGPT has. */
const WAYS: Readonly<Record<string, Partial<TrainOptions>>> = {
  Meanfield: {},
  'as a llama': { model: 'llama' },
  'as a gpt2': { model: 'gpt2' },
  'as a gpt2, AdamW': { model: 'gpt2', optimizer: 'adamw' },
  'as a gpt2, AdamW, a cosine': { model: 'gpt2', optimizer: 'adamw', schedule: 'cosine' },
};

/** Trains into a folder that is thrown away; `trainingSeconds` leaves evaluations out, `seconds` start-up as well. */
export async function trainOnce(options: TrainOptions) {
  const folder = await mkdtemp(join(tmpdir(), 'meanfield-bench-'));
  try {
    const run = startTraining({ ...options, run: join(folder, 'run') });
    let started = Number.NaN;
    for await (const event of run) if (event.type === 'started') started = performance.now();
    const result = await run.result;
    const seconds = (performance.now() - started) / 1000;
    return { result, seconds, trainingSeconds: result.tokens / result.tokensPerSecond };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * `npm run bench -- quality [--data FILE] [--seeds 1] [--lr 0.003] [--part losses|time]`: the losses after 2,000 steps, and
 * the time to 1.88 beside PyTorch, one after another unless one of both is named.
 */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const data = options.data ?? `${root}examples/tinyshakespeare.txt`;
  const lr = Number(options.lr ?? 3e-3);
  const [losses, time] = ['losses', 'time'].map((part) => options.part === undefined || options.part === part);
  const rows: (string | number)[][] = [];
  for (let seed = 1; seed <= Number(options.seeds ?? 1); seed++) {
    for (const [name, ways] of losses ? Object.entries(WAYS) : []) {
      const { result } = await trainOnce({ ...nanoGpt, ...ways, corpus: [data], steps: 2000, lr, seed, replicas: 1 });
      const what = `${name}, ${result.parameters} parameters, 2,000 steps, peak ${lr}, seed ${seed}`;
      rows.push([what, result.valLoss.toFixed(4), '', '']);
    }
    if (!time) continue;
    const fast = await trainOnce({
      ...nanoGpt,
      corpus: [data],
      untilLoss: 1.88,
      evalEvery: 25,
      lr,
      seed,
      replicas: 'auto',
    });
    rows.push([
      `Meanfield, until 1.88, ${fast.result.replicas} replicas, ${fast.result.step} steps`,
      fast.result.valLoss.toFixed(4),
      fast.trainingSeconds.toFixed(1),
      fast.seconds.toFixed(1),
    ]);
  }
  for (const mode of time ? ['eager', 'compile'] : []) {
    const torch = await peer('torch_train.py', [
      '--until-loss',
      '1.88',
      '--eval-every',
      '100',
      '--data',
      data,
      '--mode',
      mode,
    ]);
    const reached = torch.reached as { step: number; training_seconds: number; seconds: number } | null;
    rows.push(
      torch.skipped
        ? [`PyTorch ${mode}`, `skipped: ${torch.skipped}`, '', '']
        : [
            `PyTorch ${torch.version} ${mode}, nanoGPT's settings, 1.88 after ${reached?.step ?? 'more than 2,000'} steps`,
            Number(torch.final_val_loss).toFixed(4),
            reached?.training_seconds.toFixed(1) ?? 'not reached',
            reached?.seconds.toFixed(1) ?? 'not reached',
          ],
    );
  }
  table(['', 'validation loss at the end', 'seconds of training to 1.88', 'with evaluations'], rows);
}
