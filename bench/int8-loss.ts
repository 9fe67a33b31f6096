import { appendFile, readFile } from 'node:fs/promises';
import type { TrainOptions } from '../src/run/options.js';
import { mean, parseArgs, percentAbove, root, table } from './lib.js';
import { trainOnce } from './quality.js';

interface Setting {
  readonly options: Omit<TrainOptions, 'corpus'>;
  readonly seeds: number;
}

const characters = { tokenizer: 'chars', batchSize: 12, steps: 2000, lr: 3e-3 } as const;

/** What is trained twice for each seed, in float32 and with products in 8 bits. */
const settings: Readonly<Record<string, Setting>> = {
  '4x128': { options: { preset: 'micro', ...characters }, seeds: 8 },
  '4x256': {
    options: {
      ...{ model: 'gpt2', layers: 4, width: 256, heads: 4, context: 256 },
      ...{ tokenizer: 'bpe', vocab: 4096, batchSize: 4, steps: 600, lr: 2e-3 },
    },
    seeds: 4,
  },
  'llama-micro': { options: { preset: 'llama-micro', ...characters }, seeds: 4 },
};

const PRECISIONS = ['fp32', 'int8'] as const;
type Precision = (typeof PRECISIONS)[number];

interface Trained {
  readonly setting: string;
  readonly seed: number;
  readonly precision: Precision;
  readonly val_loss: number;
  readonly seconds: number;
}

/**
 * `npm run bench -- int8-loss [4x128 4x256 llama-micro] [--seeds N] [--threads 1] [--data FILE] [--keep FILE.jsonl]`: with
 * `keep` each run is written down when it has ended, and not trained again; so the bench can be stopped and gone on with,
 * or several of it share the work by settings.
 */
export async function run(args: string[]): Promise<void> {
  const { options, rest } = parseArgs(args);
  const data = options.data ?? `${root}examples/tinyshakespeare.txt`;
  const known = options.keep === undefined ? [] : await keptIn(options.keep);
  const rows: string[][] = [];
  for (const name of rest.length > 0 ? rest : Object.keys(settings)) {
    const setting = settings[name];
    if (!setting) throw new Error(`unknown setting ${name}: one of ${Object.keys(settings).join(', ')}`);
    const pairs: Record<Precision, number>[] = [];
    for (let seed = 1; seed <= Number(options.seeds ?? setting.seeds); seed++) {
      const losses: Partial<Record<Precision, number>> = {};
      for (const precision of PRECISIONS) {
        const own = { setting: name, seed, precision };
        const before = known.find((one) => Object.entries(own).every(([key, value]) => one[key as 'seed'] === value));
        losses[precision] = before?.val_loss ?? (await trained(own, setting, data, options));
      }
      pairs.push(losses as Record<Precision, number>);
      const { fp32, int8 } = pairs.at(-1)!;
      rows.push([name, `${seed}`, fp32.toFixed(4), int8.toFixed(4), percentAbove(int8, fp32)]);
    }
    const [fp32, int8] = PRECISIONS.map((precision) => mean(pairs.map((losses) => losses[precision])));
    rows.push([name, `mean of ${pairs.length}`, fp32!.toFixed(4), int8!.toFixed(4), percentAbove(int8!, fp32!)]);
  }
  table(['', 'seed', 'validation loss, fp32', 'int8', 'int8 above'], rows);
}

async function trained(
  own: Pick<Trained, 'setting' | 'seed' | 'precision'>,
  { options }: Setting,
  data: string,
  { threads = '1', keep }: Record<string, string>,
): Promise<number> {
  const { seed, precision } = own;
  const every = { evalEvery: 100_000, checkpointEvery: 100_000, replicas: 1, threads: Number(threads) };
  const { result, seconds } = await trainOnce({ ...options, ...every, corpus: [data], seed, precision });
  const line: Trained = { ...own, val_loss: result.valLoss, seconds };
  console.error(JSON.stringify(line));
  if (keep !== undefined) await appendFile(keep, `${JSON.stringify(line)}\n`);
  return result.valLoss;
}

async function keptIn(file: string): Promise<Trained[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
}
