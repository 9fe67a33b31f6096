import type { TrainOptions } from '../src/run/options.js';
import { mean, median, parseArgs, percentAbove, root, table } from './lib.js';
import { trainOnce } from './quality.js';

const common: Omit<TrainOptions, 'corpus'> = {
  preset: 'micro',
  tokenizer: 'chars',
  steps: 1000,
  evalEvery: 100_000,
  checkpointEvery: 100_000,
};

/** `npm run bench -- replicas [--seeds 3] [--rates 0.003,0.004] [--data FILE]` */
export async function run(args: string[]): Promise<void> {
  const { options } = parseArgs(args);
  const corpus = [options.data ?? `${root}examples/tinyshakespeare.txt`];
  const seeds = Array.from({ length: Number(options.seeds ?? 3) }, (_, i) => i + 1);
  const rates = (options.rates ?? '0.003,0.004').split(',').map(Number);

  const speeds: number[][] = [[], []];
  for (let i = 0; i < 3; i++) {
    for (const [at, replicas] of [1, 2].entries()) {
      const { result } = await trainOnce({ ...common, corpus, steps: 200, replicas, threads: 1, batchSize: 12 });
      speeds[at]!.push(result.tokensPerSecond);
    }
  }
  const [one, two] = speeds.map(median) as [number, number];
  table(
    ['', 'tokens/s', 'ratio'],
    [
      ['1 replica × 1 thread', one.toFixed(0), ''],
      ['2 replicas × 1 thread, H=25', two.toFixed(0), (two / one).toFixed(2)],
    ],
  );

  const rows: (string | number)[][] = [];
  const means: { joint: number; rounds: number; rate: number }[] = [];
  for (const rate of rates) {
    const losses = { joint: [] as number[], rounds: [] as number[] };
    for (const seed of seeds) {
      const both = { ...common, corpus, lr: rate, seed };
      const joint = (await trainOnce({ ...both, replicas: 1, batchSize: 24 })).result.valLoss;
      const rounds = (await trainOnce({ ...both, replicas: 2, threads: 1, batchSize: 12 })).result.valLoss;
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
  table(['peak rate', 'seed', 'joint batch, B=24', '2 replicas, B=12, H=25', 'difference'], rows);
}
