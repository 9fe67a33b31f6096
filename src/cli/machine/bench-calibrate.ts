import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomic } from '../../base/files/atomic.js';
import { Random } from '../../base/random.js';
import { prepareDataset } from '../../data/index.js';
import { Team, type TeamSetup } from '../../local/team.js';
import { Model } from '../../model/model.js';
import { CAUSAL } from '../../objectives/create.js';
import { cpuInWords, type MeasuredCpu } from '../../planner/catalogue/index.js';
import type { Context } from '../terminal/context.js';
import { table } from '../terminal/format.js';
import { ProgressLine } from '../terminal/progress-line.js';
import { measureThisMachine } from './this-machine.js';

/** A model and a batch that are measured. */
interface Setting {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly context: number;
  readonly batch: number;
  readonly vocabulary: number;
}

/** About `train`'s smaller presets: five rows, from which on a stack's own errors make its interval. */
const SETTINGS: readonly Setting[] = [
  { layers: 4, width: 128, heads: 4, context: 64, batch: 12, vocabulary: 4096 },
  { layers: 4, width: 128, heads: 4, context: 64, batch: 32, vocabulary: 4096 },
  { layers: 4, width: 256, heads: 4, context: 256, batch: 4, vocabulary: 4096 },
  { layers: 4, width: 256, heads: 4, context: 256, batch: 8, vocabulary: 4096 },
  { layers: 6, width: 384, heads: 6, context: 256, batch: 2, vocabulary: 4096 },
];

/** Seconds that steps of a setting are timed for; fewest steps of them, and steps before that do not count. */
const SECONDS = 2;
const STEPS = 3;
const WARM_UP = 2;

/**
 * Trains for a few seconds at each of some sizes and writes what came of it as rows for `plan calibrate`.
 *
 * @throws MeanfieldError when this machine cannot be measured or trained on
 */
export async function benchCalibrate(file: string, { output }: Context): Promise<number> {
  const line = new ProgressLine(output);
  const show = (text: string) => output.live && line.show(text);
  const rows: { readonly setting: Setting; readonly seconds: number; readonly cpu: MeasuredCpu }[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'meanfield-calibrate-'));
  try {
    const text = join(folder, 'text.txt');
    await writeFile(text, sampleText());
    const tokens = join(folder, 'tokens');
    const paths = { paths: [text], tokenizer: 'bytes', validationFraction: 0.1, folder: tokens } as const;
    const { fingerprint } = await prepareDataset(paths);
    for (const [i, setting] of SETTINGS.entries()) {
      show(`measuring ${i + 1} of ${SETTINGS.length}: ${named(setting)}`);
      // Before and after, the faster: what other programs take meanwhile is not the machine's.
      const before = (await measureThisMachine()).cpu;
      const seconds = await stepSeconds(setting, tokens, fingerprint.slice(0, 16), before.cores);
      rows.push({ setting, seconds, cpu: faster(before, (await measureThisMachine()).cpu) });
    }
  } finally {
    line.end();
    await rm(folder, { recursive: true, force: true });
  }
  await writeFileAtomic(file, csv(rows));
  output.event({
    type: 'result',
    file,
    rows: rows.map(({ setting, seconds, cpu }) => ({ ...setting, step_seconds: seconds, gflops: cpu.rate / 1e9 })),
  });
  const lines = rows.map(({ setting, seconds, cpu }) => [
    named(setting),
    String(setting.batch),
    `${(1000 * seconds).toFixed(1)} ms`,
    ((setting.batch * setting.context) / seconds).toFixed(0),
    (cpu.rate / 1e9).toFixed(0),
  ]);
  const head = ['layers × width', 'batch', 'a step', 'tokens/s', 'product, GFLOP/s'];
  output.text(
    `\n${table([head, ...lines], [1, 2, 3, 4])}Written: ${file}. Next:\n` +
      `  meanfield plan calibrate ${file} --to this.json\n` +
      '  meanfield plan --model mini --cluster this --calibration this.json\n',
  );
  return 0;
}

const named = ({ layers, width, context }: Setting): string => `${layers}×${width}, ${context} tokens`;

/** Text of its own, since an installation has none: what it says does not matter to how long a step takes. */
function sampleText(): string {
  const words = Array.from({ length: 40_000 }, (_, i) => ((i * 2_654_435_761) % 2 ** 32).toString(36));
  return words.join(' ');
}

const faster = (a: MeasuredCpu, b: MeasuredCpu): MeasuredCpu => ({
  ...a,
  rate: Math.max(a.rate, b.rate),
  memoryBandwidth: Math.max(a.memoryBandwidth, b.memoryBandwidth),
});

/** Seconds of a step of one replica on all cores: the fastest. */
async function stepSeconds(s: Setting, tokens: string, run: string, cores: number): Promise<number> {
  const model = Model.create('gpt2', { ...s, keyValueHeads: s.heads });
  const setup: TeamSetup = {
    run,
    replicas: 1,
    threads: cores,
    device: 'cpu',
    task: { kind: 'data', folder: tokens, model: model.config, objective: CAUSAL, context: s.context },
    perSample: s.context,
    batchSize: s.batch,
    gradAccum: 1,
    seed: 1,
    optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 },
    schedule: { peak: 1e-3, final: 1e-4, warmup: 100, steps: 10_000 },
    exchange: 'nothing',
    outer: { method: 'average', learningRate: 1, momentum: 0 },
    averageMoments: true,
    stepsPerRound: 1,
  };
  const parameters = model.layout.initialize(new Random(1, 'parameters'));
  const team = await Team.start(setup, model.layout, { round: 0, moments: [], samplers: [], parameters });
  try {
    const times: number[] = [];
    let begin = performance.now();
    for (let step = 0; times.length < STEPS || performance.now() - begin < 1000 * SECONDS; step++) {
      const start = performance.now();
      await team.rounds.runRound(step, 1, () => {});
      if (step >= WARM_UP) times.push((performance.now() - start) / 1000);
      else begin = performance.now();
    }
    return Math.min(...times);
  } finally {
    await team.close();
  }
}

const COLUMNS = [
  ...['id', 'source', 'year', 'framework', 'model', 'params_B', 'layers', 'hidden', 'heads', 'ffn', 'seq', 'vocab'],
  ...['accel', 'n_accel', 'accel_per_node', 'dp', 'tp', 'pp', 'zero_stage', 'offload', 'recompute', 'precision'],
  ...['micro_batch', 'grad_accum', 'global_batch_seqs', 'step_time_s', 'printed_unit', 'grade'],
];

function csv(
  rows: readonly { readonly setting: Setting; readonly seconds: number; readonly cpu: MeasuredCpu }[],
): string {
  const lines = rows.map(({ setting: s, seconds, cpu }, i) => {
    const cells: Readonly<Record<string, string | number>> = {
      id: `this-${i + 1}`,
      source: 'meanfield bench --calibrate',
      year: new Date().getFullYear(),
      framework: 'Meanfield',
      model: `GPT-2 ${s.layers}x${s.width}`,
      layers: s.layers,
      hidden: s.width,
      heads: s.heads,
      ffn: 4 * s.width,
      seq: s.context,
      vocab: s.vocabulary,
      accel: `"${cpuInWords(cpu)}"`,
      n_accel: 1,
      accel_per_node: 1,
      dp: 1,
      tp: 1,
      pp: 1,
      zero_stage: 0,
      offload: 'none',
      recompute: 'none',
      precision: 'fp32',
      micro_batch: s.batch,
      grad_accum: 1,
      global_batch_seqs: s.batch,
      step_time_s: seconds.toPrecision(5),
      printed_unit: 'step_time_s',
    };
    return COLUMNS.map((column) => cells[column] ?? '').join(',');
  });
  return `${[COLUMNS.join(','), ...lines].join('\n')}\n`;
}
