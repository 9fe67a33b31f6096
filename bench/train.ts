import type { TrainingPrecision } from '../src/training/precision-names.js';
import { bestGemm } from './gemm.js';
import { median, type Outcome, ours, parseArgs, peer, root, table } from './lib.js';
import type { OursOptions } from './ours.js';

interface Setting extends Omit<OursOptions, 'data' | 'replicas' | 'threads' | 'precision'> {
  readonly peerSteps: number;
  readonly tfjs: boolean;
}

const settings: Record<string, Setting> = {
  '4x128': {
    ...{ layers: 4, width: 128, heads: 4, context: 64, batch: 12, vocabulary: 65 },
    ...{ syncEvery: 25, rounds: 6, peerSteps: 150, tfjs: false },
  },
  '4x256': {
    ...{ layers: 4, width: 256, heads: 4, context: 256, batch: 4, vocabulary: 4096 },
    ...{ syncEvery: 25, rounds: 2, peerSteps: 40, tfjs: true },
  },
  'gpt2-124m': {
    ...{ layers: 12, width: 768, heads: 12, context: 512, batch: 2, vocabulary: 50257 },
    ...{ syncEvery: 4, rounds: 1, peerSteps: 5, tfjs: false },
  },
};

/** Operations of a step as the peers count them: tables of positions left out, the masked half of attention counted. */
function stepFlops(s: Setting, parameters: number): number {
  const tokens = s.batch * s.context;
  return tokens * (6 * (parameters - s.context * s.width) + 12 * s.layers * s.width * s.context);
}

/** What our one replica of one thread is compared by. */
const ONE = 'Meanfield, 1 replica × 1 thread';
const RIVALS = ['PyTorch eager', 'PyTorch compile'];

/**
 * `npm run bench -- train [4x128 4x256 gpt2-124m] [--repeats 3] [--data FILE] [--only REGEXP]`: `only` picks what is run by
 * its name in the table, such as `1 thread` or `int8|bf16`.
 */
export async function run(args: string[]): Promise<void> {
  const { options, rest } = parseArgs(args);
  const repeats = Number(options.repeats ?? 3);
  const data = options.data ?? `${root}examples/tinyshakespeare.txt`;
  for (const name of rest.length > 0 ? rest : Object.keys(settings)) {
    const setting = settings[name];
    if (!setting) throw new Error(`unknown setting ${name}: one of ${Object.keys(settings).join(', ')}`);
    await compare(name, setting, data, repeats, new RegExp(options.only ?? ''));
  }
}

async function compare(name: string, s: Setting, data: string, repeats: number, only: RegExp): Promise<void> {
  const shape = [s.layers, s.width, s.heads, s.context, s.batch, s.vocabulary].map(String);
  const names = ['--layers', '--width', '--heads', '--context', '--batch', '--vocab'];
  const peerArgs = [...names.flatMap((flag, i) => [flag, shape[i]!]), '--data', data];
  const torch = (mode: string) => () =>
    peer('torch_train.py', [
      ...peerArgs,
      ...['--threads', '2', '--mode', mode, '--steps', String(s.peerSteps), '--warmup', s.rounds > 5 ? '20' : '2'],
    ]);
  const tfjs = (products: string) => () =>
    peer('tfjs-train.mjs', [...peerArgs, '--steps', '4', '--warmup', '1', '--products', products]);
  const mine = (replicas: number, threads: number, precision: TrainingPrecision = 'fp32') => {
    return () => ours({ ...s, data, replicas, threads, precision });
  };
  // Two replicas of the largest take more memory than such machines have.
  const large = name === 'gpt2-124m';
  const every: [string, () => Promise<Outcome>][] = [
    [ONE, mine(1, 1)],
    [`${ONE}, int8`, mine(1, 1, 'int8')],
    ['Meanfield, 1 replica × 2 threads', mine(1, 2)],
    ['Meanfield, 1 replica × 2 threads, int8', mine(1, 2, 'int8')],
    ['PyTorch eager', torch('eager')],
    ...(large
      ? []
      : ([
          ['Meanfield, 2 replicas × 1 thread', mine(2, 1)],
          ['Meanfield, 2 replicas × 1 thread, int8', mine(2, 1, 'int8')],
        ] as [string, () => Promise<Outcome>][])),
    ['PyTorch compile', torch('compile')],
    ['PyTorch bf16 autocast', torch('bf16')],
    ...(s.tfjs
      ? ([['TensorFlow.js WASM, products rewritten', tfjs('fast')]] as [string, () => Promise<Outcome>][])
      : []),
    ...(s.tfjs ? ([['TensorFlow.js WASM, as published', tfjs('builtin')]] as [string, () => Promise<Outcome>][]) : []),
  ];
  const runs = every.filter(([label]) => only.test(label));
  const outcomes = new Map<string, Outcome[]>(runs.map(([label]) => [label, []]));
  const gemms: number[] = [];
  for (let i = 0; i < repeats; i++) {
    gemms.push(await bestGemm(2));
    for (const [label, start] of runs) {
      if (i > 0 && label.startsWith('TensorFlow')) continue;
      outcomes.get(label)!.push(await start());
    }
  }
  const best = Math.max(...gemms);
  const of = (label: string, key: string) =>
    median(outcomes.get(label)!.flatMap((o) => (o.skipped ? [] : [Number(o[key])])));
  const speedOf = (label: string) => (outcomes.has(label) && of(label, 'tokens_per_second')) || 0;
  const better = Math.max(...RIVALS.map(speedOf));
  const one = speedOf(ONE);
  console.log(
    `\n### ${name}: T=${s.context}, B=${s.batch}, V=${s.vocabulary}; best matrix product ${best.toFixed(0)} GFLOP/s`,
  );
  table(
    ['', 'tokens/s', 'min to max', 'GFLOP/s', 'of the best product', '× better PyTorch', '× one thread', 'peak memory'],
    runs.map(([label]) => {
      const all = outcomes.get(label)!;
      const reason = all.find((o) => o.skipped)?.skipped;
      if (reason) return [label, `skipped: ${reason}`, '', '', '', '', '', ''];
      const speeds = all.map((o) => Number(o.tokens_per_second));
      const speed = median(speeds);
      const gflops = (stepFlops(s, Number(all[0]!.parameters)) * speed) / (s.batch * s.context) / 1e9;
      return [
        `${label}${all[0]!.version ? ` (${all[0]!.version})` : ''}`,
        speed.toFixed(0),
        `${Math.min(...speeds).toFixed(0)} to ${Math.max(...speeds).toFixed(0)}`,
        gflops.toFixed(0),
        `${((100 * gflops) / best).toFixed(0)} %`,
        better > 0 ? (speed / better).toFixed(2) : '',
        one > 0 && label.startsWith('Meanfield') ? (speed / one).toFixed(2) : '',
        `${(of(label, 'peak_rss_bytes') / 1e9).toFixed(2)} GB`,
      ];
    }),
  );
}
