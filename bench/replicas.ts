import type { TrainOptions } from '../src/run/options.js';
import { mean, median, parseArgs, percentAbove, root, table } from './lib.js';
import { trainOnce } from './quality.js';

const common: Omit<TrainOptions, 'corpus'> = {
  preset: 'micro',
  tokenizer: 'chars',
  evalEvery: 100_000,
  checkpointEvery: 100_000,
};

/**
 * `npm run bench -- replicas [--seeds 3] [--rates 0.003,0.004] [--replicas 2] [--steps 1000] [--warmup N] [--sync-every 25]
 * [--outer average|nesterov] [--data FILE]`; a warm-up is that of the joint batch too, of which the best rate counts.
 */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const corpus = [options.data ?? `${root}examples/tinyshakespeare.txt`];
  const seeds = Array.from({ length: Number(options.seeds ?? 3) }, (_, i) => i + 1);
  const rates = (options.rates ?? '0.003,0.004').split(',').map(Number);
  const replicas = Number(options.replicas ?? 2);
  const length = {
    steps: Number(options.steps ?? 1000),
    ...(options.warmup !== undefined && { warmup: Number(options.warmup) }),
  };
  const syncEvery = Number(options['sync-every'] ?? 25);
  const averaging = { syncEvery, ...(options.outer !== undefined && { outer: options.outer as 'average' }) };

  const speeds: [number[], number[]] = [[], []];
  for (let i = 0; i < 3; i++) {
    for (const [at, count] of [1, replicas].entries()) {
      const few = { ...common, corpus, steps: 200, threads: 1, batchSize: 12 };
      const { result } = await trainOnce({ ...few, ...averaging, replicas: count });
      speeds[at]!.push(result.tokensPerSecond);
    }
  }
  const [one, all] = speeds.map(median) as [number, number];
  table(
    ['', 'tokens/s', 'ratio'],
    [
      ['1 replica × 1 thread', one.toFixed(0), ''],
      [`${replicas} replicas × 1 thread, H=${syncEvery}`, all.toFixed(0), (all / one).toFixed(2)],
    ],
  );

  const rows: (string | number)[][] = [];
  const means: { joint: number; rounds: number; rate: number }[] = [];
  for (const rate of rates) {
    const losses = { joint: [] as number[], rounds: [] as number[] };
    for (const seed of seeds) {
      const both = { ...common, ...length, corpus, lr: rate, seed };
      const joint = (await trainOnce({ ...both, replicas: 1, batchSize: 12 * replicas })).result.valLoss;
      const averaged = { ...both, ...averaging, replicas, threads: 1, batchSize: 12 };
      const rounds = (await trainOnce(averaged)).result.valLoss;
      losses.joint.push(joint);
      losses.rounds.push(rounds);
      rows.push([rate, seed, joint.toFixed(4), rounds.toFixed(4), percentAbove(rounds, joint)]);
    }
    means.push({ rate, joint: mean(losses.joint), rounds: mean(losses.rounds) });
  }
  for (const { rate, joint, rounds } of means) {
    rows.push([rate, 'mean', joint.toFixed(4), rounds.toFixed(4), percentAbove(rounds, joint)]);
  }
  const joint = Math.min(...means.map((m) => m.joint));
  const rounds = Math.min(...means.map((m) => m.rounds));
  rows.push(['best of each', 'mean', joint.toFixed(4), rounds.toFixed(4), percentAbove(rounds, joint)]);
  const names = [`joint batch, B=${12 * replicas}`, `${replicas} replicas, B=12, H=${syncEvery}`];
  table(['peak rate', 'seed', ...names, 'difference'], rows);
}
