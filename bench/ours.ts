/** Trains for a while and prints one JSON line; a process of its own, started by `train.ts`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../src/base/random.js';
import { prepareDataset } from '../src/data/index.js';
import { Team, type TeamSetup } from '../src/local/team.js';
import { Model } from '../src/model/model.js';
import { CAUSAL } from '../src/objectives/create.js';
import type { TrainingPrecision } from '../src/training/precision-names.js';
import { median } from './lib.js';

/** What is measured: a model, its batch, and how the cores are shared out. */
export interface OursOptions {
  readonly data: string;
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly context: number;
  readonly batch: number;
  readonly vocabulary: number;
  readonly replicas: number;
  readonly threads: number;
  readonly precision: TrainingPrecision;
  /** H. */
  readonly syncEvery: number;
  /** Rounds that count, after one that does not. */
  readonly rounds: number;
}

async function main(o: OursOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'meanfield-bench-'));
  try {
    const dataset = await prepareDataset({
      paths: [o.data],
      tokenizer: o.vocabulary <= 256 ? 'chars' : 'bytes',
      validationFraction: 0.1,
      folder: join(folder, 'tokens'),
    });
    const model = Model.create('gpt2', {
      layers: o.layers,
      width: o.width,
      heads: o.heads,
      keyValueHeads: o.heads,
      context: o.context,
      vocabulary: o.vocabulary,
    });
    const setup: TeamSetup = {
      run: dataset.fingerprint.slice(0, 16),
      replicas: o.replicas,
      threads: o.threads,
      precision: o.precision,
      device: 'cpu',
      task: {
        kind: 'data',
        folder: join(folder, 'tokens'),
        model: model.config,
        objective: CAUSAL,
        context: o.context,
      },
      perSample: o.context,
      batchSize: o.batch,
      gradAccum: 1,
      seed: 1,
      optimizer: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 },
      schedule: { peak: 1e-3, final: 1e-4, warmup: 100, steps: 10_000 },
      exchange: o.replicas === 1 ? 'nothing' : 'parameters',
      outer: { method: 'nesterov', learningRate: 0.7, momentum: 0.7 },
      averageMoments: true,
      stepsPerRound: o.syncEvery,
    };
    // No name for the initial parameters: what nobody holds is not counted as the run's memory.
    const team = await Team.start(setup, model.layout, {
      ...{ round: 0, moments: [], samplers: [] },
      parameters: model.layout.initialize(new Random(1, 'parameters')),
    });
    const losses: number[] = [];
    const times: number[] = [];
    for (let round = 0; round <= o.rounds; round++) {
      const start = performance.now();
      await team.rounds.runRound(round * o.syncEvery, o.syncEvery, ({ loss }) => losses.push(loss));
      if (round > 0) times.push((performance.now() - start) / o.syncEvery);
    }
    await team.close();
    const tokens = o.replicas * o.batch * o.context;
    const { size } = model.layout;
    console.log(
      JSON.stringify({
        tokens_per_second: (1000 * tokens) / median(times),
        ms_per_step: median(times),
        min_ms_per_step: Math.min(...times),
        parameters: size,
        first_loss: losses[0],
        last_loss: losses.at(-1),
        peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
      }),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

await main(JSON.parse(process.argv[2]!) as OursOptions);
