/** Measures one thing and prints one JSON line; a process of its own, started by `process.ts`. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256File } from '../../src/base/hash.js';
import { Random } from '../../src/base/random.js';
import { type PackedRows, RowWindows } from '../../src/data/chat/pack.js';
import { openChat } from '../../src/data/chat/prepare.js';
import { ShuffledSamples } from '../../src/data/sampling/shuffled-samples.js';
import type { TokenWindow } from '../../src/data/sampling/token-windows.js';
import { NodeEngine } from '../../src/engine/node/engine.js';
import { loadModel, withTextModel } from '../../src/hub/load-model.js';
import { adapterVector, readAdapter } from '../../src/hub/peft.js';
import { load } from '../../src/inference/load.js';
import type { FrozenValues } from '../../src/model/base-storage.js';
import type { BaseDtype } from '../../src/model/family-names.js';
import type { Model } from '../../src/model/model.js';
import { Causal } from '../../src/objectives/causal/causal.js';
import { Chat } from '../../src/objectives/chat/chat.js';
import type { Objective } from '../../src/objectives/objective.js';
import { readStored } from '../../src/run/frozen-part.js';
import type { AdamwOptions } from '../../src/training/adamw.js';
import { Evaluator } from '../../src/training/evaluation.js';
import { Replica } from '../../src/training/replica.js';
import { median } from '../lib.js';
import type { Work } from './process.js';
import type { Recipe } from './recipe.js';

type Of<K extends Work['kind']> = Extract<Work, { readonly kind: K }>;

const measures: { readonly [K in Work['kind']]: (work: Of<K>) => Promise<object> } = { train, chat, load: firstToken };

/** Training by a recipe. */
async function train({ recipe: path, base }: Of<'train'>): Promise<object> {
  const recipe = JSON.parse(await readFile(path, 'utf8')) as Recipe;
  const { context, batch, threads, heldOut, warmup, rates } = recipe;
  const { model, trained, frozen } = await startOf(recipe, base);
  const rows = await rowsOf(recipe);
  const objective = new Causal(model, context);
  const run = await Running.start({ objective, trained, frozen, batch, gradAccum: 1, threads, optimizer: recipe });
  for (const [step, rate] of rates.entries()) {
    if (step === warmup) run.startClock();
    await run.step(step, rate, () => rows.slice(step * batch, (step + 1) * batch));
  }
  const figures = run.figures();
  const loss = heldOut === 0 ? undefined : await run.lossOf(rows.slice(rates.length * batch));
  return { ...figures, tokens_per_second: (1000 * batch * context) / figures.ms_per_step, held_out_loss: loss };
}

async function startOf({ model: folder, adapter: from }: Recipe, base: BaseDtype = 'fp32') {
  if (from === undefined) {
    const { model, parameters } = await loadModel(folder);
    return { model, trained: parameters, frozen: new Float32Array(0) };
  }
  return withTextModel(folder, async ({ model: whole, path }) => {
    const read = await readAdapter(from, whole);
    const layers = read.layers.map(({ a: _a, b: _b, ...layer }) => layer);
    const model = whole.withAdapter(layers, base);
    const file = join(path, 'model.safetensors');
    const frozen = await readStored({ path: file, sha256: await sha256File(file) }, model);
    return { model, trained: adapterVector(model, read), frozen };
  });
}

async function rowsOf({ rows: path, context }: Recipe): Promise<TokenWindow[]> {
  const bytes = await readFile(path);
  const ids = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const length = context + 1;
  return Array.from({ length: ids.length / length }, (_, i) => ({
    ids: ids.subarray(i * length, (i + 1) * length),
    number: ['recipe', i],
  }));
}

const CHAT_RATE = 2e-4;
const CHAT_OPTIMIZER = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 };

/** On so many rows the loss is measured. */
const HELD_ROWS = 32;

type Rows = ConstructorParameters<typeof RowWindows>[0];

const firstRows = (rows: Rows, length: number): Rows => ({
  length,
  sizeOf: (row) => rows.sizeOf(row),
  at: (row) => rows.at(row),
});

/** Conversations with an adapter, several rows in a window or one. */
async function chat({ model: folder, rows, context, packed, steps, ...work }: Of<'chat'>): Promise<object> {
  const { model: base, parameters: frozen } = await loadModel(folder);
  const model: Model = base.adapt({ rank: 16, alpha: 32 });
  const trained = model.trained.initialize(new Random(1, 'adapter'));
  const { train: file, validation } = await openChat(rows);
  const windows = (part: Rows) => new RowWindows(part, { places: context, packed, seed: 1 });
  const samples = new ShuffledSamples<PackedRows>(windows(file), 1);
  const some = Math.min(HELD_ROWS, validation.length);
  const held = windows(firstRows(validation, some));
  const heldOut = Array.from({ length: held.length }, (_, i) => held.at(i));
  const objective = new Chat(model, context);
  const run = await Running.start({ ...work, objective, trained, frozen, optimizer: CHAT_OPTIMIZER });
  const first = await run.lossOf(heldOut);
  let [next, counted] = [0, 0];
  for (let step = 0; step < steps; step++) {
    if (step === 1) {
      run.startClock();
      counted = 0;
    }
    await run.step(step, CHAT_RATE, () =>
      Array.from({ length: work.batch }, () => {
        const place = next++;
        const sample = samples.sample(Math.floor(place / samples.samplesPerEpoch), place % samples.samplesPerEpoch);
        counted += sample.length;
        return sample;
      }),
    );
  }
  const figures = run.figures();
  const rowsPerSecond = (1000 * counted) / (figures.ms_per_step * (steps - 1));
  const rowsPerCpuSecond = (1000 * counted) / (figures.cpu_ms_per_step * (steps - 1));
  return {
    ...{ ...figures, rows_per_second: rowsPerSecond, rows_per_cpu_second: rowsPerCpuSecond },
    rows_per_window: counted / ((steps - 1) * work.batch * work.gradAccum),
    ...{ first_loss: first, held_out_loss: await run.lossOf(heldOut) },
  };
}

/** From the start of the process: to the model, and to the first token that it writes. */
async function firstToken({ model: folder, threads }: Of<'load'>): Promise<object> {
  const before = performance.now();
  const model = await load(folder, { threads });
  const loaded = performance.now();
  const { text } = await model.generate({ prompt: 'The capital of France is', maxTokens: 1, temperature: 0 }).result();
  const written = performance.now();
  const peak = peakBytes();
  const { parameters } = model;
  await model.close();
  return { load_ms: loaded - before, first_token_ms: written - before, text, parameters, peak_rss_bytes: peak };
}

const peakBytes = () => process.resourceUsage().maxRSS * 1024;

interface RunningOptions<Sample> {
  readonly objective: Objective<Sample>;
  readonly trained: Float32Array;
  readonly frozen: FrozenValues;
  readonly batch: number;
  readonly gradAccum: number;
  readonly threads: number;
  readonly optimizer: AdamwOptions;
}

/** A replica under a stop-watch. */
class Running<Sample> {
  readonly #losses: number[] = [];
  #times: number[] = [];
  #cpu = process.cpuUsage();

  private constructor(
    private readonly options: RunningOptions<Sample>,
    private readonly replica: Replica<Sample>,
    private readonly engine: NodeEngine,
  ) {}

  static async start<Sample>(options: RunningOptions<Sample>): Promise<Running<Sample>> {
    const { objective, trained, frozen, batch, gradAccum, threads, optimizer } = options;
    const engine = new NodeEngine();
    const common = { objective, frozen, engine, batch, gradientAccumulation: gradAccum, compile: { threads } };
    const replica = await Replica.create({ ...common, optimizer });
    replica.adopt({ parameters: trained });
    return new Running(options, replica, engine);
  }

  startClock(): void {
    this.#times = [];
    this.#cpu = process.cpuUsage();
  }

  async step(step: number, rate: number, next: () => readonly Sample[]): Promise<void> {
    const start = performance.now();
    const { loss, weight } = await this.replica.computeGradient(next);
    await this.replica.applyGradient(step, rate, this.replica.scaleOf(weight));
    this.#times.push(performance.now() - start);
    this.#losses.push(loss);
  }

  figures() {
    const { user, system } = process.cpuUsage(this.#cpu);
    return {
      ms_per_step: median(this.#times),
      cpu_ms_per_step: (user + system) / 1000 / this.#times.length,
      losses: this.#losses,
      peak_rss_bytes: peakBytes(),
    };
  }

  async lossOf(samples: readonly Sample[]): Promise<number> {
    const { objective, frozen, threads, batch } = this.options;
    const evaluator = new Evaluator(objective, this.engine, batch, { threads, arena: false }, frozen);
    const { sum, weight } = await evaluator.lossSum(this.replica.vectors.parameters, samples);
    await evaluator.dispose();
    return sum / weight;
  }
}

const work = JSON.parse(process.argv[2]!) as Work;
console.log(JSON.stringify(await (measures[work.kind] as (work: Work) => Promise<object>)(work)));
