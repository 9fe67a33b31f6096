import { Random } from '../../../src/base/random.js';
import type { TokenRow } from '../../../src/data/chat/row-file.js';
import { windowsOf } from '../../../src/data/sampling/windows.test-support.js';
import type { Engine, SessionOptions, Traffic } from '../../../src/engine/engine.js';
import type { FrozenValues } from '../../../src/model/base-storage.js';
import { Model } from '../../../src/model/model.js';
import { Causal } from '../../../src/objectives/causal/causal.js';
import { Chat } from '../../../src/objectives/chat/chat.js';
import type { Objective } from '../../../src/objectives/objective.js';
import type { OptimizerVectors } from '../../../src/training/adamw.js';
import { Evaluator } from '../../../src/training/evaluation.js';
import { Replica, type ReplicaOptions } from '../../../src/training/replica.js';

/** What a lesson has beside the plainest training. */
export const VARIANTS = [
  'plain',
  'micro-batches',
  'dropout',
  'frozen part',
  'adapter',
  'adapter on int8',
  'rates by layer',
  'packed rows',
] as const;
export type Variant = (typeof VARIANTS)[number];

/** A few steps of training that every engine can do: the same text, the same first parameters. */
export interface Lesson {
  readonly family: 'gpt2' | 'llama';
  readonly text: string;
  readonly steps: number;
  readonly threads?: number;
  readonly variant?: Variant;
  /** Products of linear layers in 8 bits. */
  readonly int8?: boolean;
  /** In what products are computed, if not in float32. */
  readonly half?: 'fp16';
  /** The sample that comes first. */
  readonly first?: number;
  /** Before which step all goes into another replica, as after a checkpoint. */
  readonly resumeAt?: number;
}

/** What came of a lesson. */
export interface Learned {
  /** Before each step. */
  readonly losses: number[];
  readonly norms: number[];
  /** What crossed to and from the device's memory in each step, and how many arrays were in it after; of an engine that has one. */
  readonly crossed: Traffic[];
  readonly arrays: number[];
  /** Bytes of a step's batch. */
  readonly batchBytes: number;
  /** The vectors after the last step, in one number: others have another. */
  readonly hash: string;
  /** The mean loss of the first samples, with the parameters after the last step. */
  readonly evaluated: number;
}

const batch = 2;
const length = 16;

/** A replica with what it starts from. */
interface Pupil {
  readonly replica: Replica<unknown>;
  readonly start: Float32Array;
  next(): readonly unknown[];
  readonly batchBytes: number;
  /** Of these parameters. */
  evaluate(parameters: Float32Array): Promise<number>;
}

/** The model and the samples of a lesson. */
async function openLesson(
  engine: Engine,
  { family, text, variant = 'plain', int8 = false, half, first = 0 }: Omit<Lesson, 'steps' | 'threads'>,
  compile: SessionOptions = {},
): Promise<Pupil> {
  const alphabet = [...new Set(text)].sort();
  const tokens = Int32Array.from(text, (character) => alphabet.indexOf(character));
  const sizes = { layers: 2, width: 32, heads: 4, keyValueHeads: family === 'llama' ? 2 : 4, context: length };
  const whole = Model.create(family, { ...sizes, vocabulary: alphabet.length });
  const adapter = { rank: 4, alpha: 8 };
  const block = family === 'llama' ? 'layers.0.*' : 'h.0.*';
  const model =
    variant === 'frozen part'
      ? whole.freeze([block])
      : variant === 'adapter'
        ? whole.adapt(adapter)
        : variant === 'adapter on int8'
          ? whole.adapt(adapter, 'int8')
          : whole;
  const initial = model.initialize(new Random(7));
  const scaled = initial.frozen.map((value) => 4 * value);
  const views = model.frozen.views(scaled);
  const frozen: FrozenValues = model.storage
    ? Object.assign({}, ...model.frozen.entries.map((entry) => model.storage!.store(entry, views[entry.name]!)))
    : scaled;
  const rows = { 'packed rows': rowsOf(tokens) }[variant as string];
  const objective: Objective<never> = rows ? new Chat(model, length) : new Causal(model, length);
  const accumulation = variant === 'micro-batches' ? 3 : 1;
  const options: ReplicaOptions<never> = {
    objective,
    frozen,
    engine,
    batch,
    gradientAccumulation: accumulation,
    optimizer: {
      ...{ beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 },
      ...(variant === 'rates by layer' && { rateRanges: halves(model.trained.size) }),
    },
    ...(variant === 'dropout' && { dropout: { rate: 0.1, seed: 3 } }),
    ...(int8 && { int8: { seed: 7 } }),
    half,
    compile,
  };
  let at = first;
  const windows = windowsOf(tokens.slice(0, Math.floor(tokens.length / (length + 1)) * (length + 1)), length);
  const samples: readonly unknown[] = rows ?? windows;
  return {
    replica: (await Replica.create(options)) as Replica<unknown>,
    start: initial.trained,
    async evaluate(parameters) {
      const evaluator = new Evaluator(objective as Objective<unknown>, engine, batch, compile, frozen);
      const { sum, weight } = await evaluator.lossSum(parameters, samples.slice(0, 3));
      await evaluator.dispose();
      return sum / weight;
    },
    next: () => Array.from({ length: batch }, () => samples[at++ % samples.length]!),
    batchBytes:
      accumulation *
      objective
        .feeds(batch)
        .reduce((sum, { shape, dtype }) => sum + shape.reduce((a, b) => a * b, dtype === 'int64' ? 8 : 4), 0),
  };
}

/** Trains a small model on characters of the text. */
export async function learn(
  engine: Engine,
  { steps, threads = 1, resumeAt, ...lesson }: Lesson,
  onStep: () => void = () => {},
): Promise<Learned> {
  const opened = await openLesson(engine, lesson, { threads });
  const { start, next, batchBytes, evaluate } = opened;
  let { replica } = opened;
  replica.adopt({ parameters: start });
  const learned = { losses: [] as number[], norms: [] as number[], crossed: [] as Traffic[], arrays: [] as number[] };
  for (let step = 0; step < steps; step++) {
    if (step === resumeAt) {
      const { parameters, moment1, moment2 } = await replica.fetch('parameters', 'moment1', 'moment2');
      await replica.dispose();
      ({ replica } = await openLesson(engine, lesson, { threads }));
      replica.adopt({ parameters: parameters.slice(), moment1: moment1.slice(), moment2: moment2.slice() });
    }
    const before = engine.memory?.traffic;
    const { loss, weight } = await replica.computeGradient(next, [step]);
    const { gradientNorm } = await replica.applyGradient(step, 1e-2, replica.scaleOf(weight));
    learned.losses.push(loss);
    learned.norms.push(gradientNorm);
    const after = engine.memory?.traffic;
    if (before && after) {
      learned.crossed.push({ toDevice: after.toDevice - before.toDevice, toHost: after.toHost - before.toHost });
      learned.arrays.push(engine.memory!.arrays);
    }
    onStep();
  }
  const vectors = await replica.fetch('parameters', 'moment1', 'moment2');
  const [hash, evaluated] = [hashOf(vectors), await evaluate(vectors.parameters)];
  await replica.dispose();
  return { ...learned, batchBytes, hash, evaluated };
}

/** One of several that learn the same lesson, each from samples of its own, and are averaged. */
export class Member {
  #step = 0;

  private constructor(private readonly pupil: Pupil) {}

  static async open(engine: Engine, lesson: Omit<Lesson, 'steps'>): Promise<Member> {
    const pupil = await openLesson(engine, lesson);
    pupil.replica.adopt({ parameters: pupil.start });
    return new Member(pupil);
  }

  /** The losses of so many steps, and the parameters after them. */
  async train(steps: number): Promise<{ losses: number[]; parameters: number[] }> {
    const { replica, next } = this.pupil;
    const losses: number[] = [];
    for (let i = 0; i < steps; i++) {
      const { loss, weight } = await replica.computeGradient(next);
      losses.push(loss);
      await replica.applyGradient(this.#step++, 1e-2, replica.scaleOf(weight));
    }
    const { parameters } = await replica.fetch('parameters');
    return { losses, parameters: [...parameters] };
  }

  /** Goes on from these parameters. */
  take(parameters: readonly number[]): void {
    this.pupil.replica.vectors.parameters.set(parameters);
    this.pupil.replica.changed('parameters');
  }
}

/** FNV-1a of what a step starts from: enough to see whether bits differ. */
function hashOf({ parameters, moment1, moment2 }: OptimizerVectors): string {
  let hash = 0xcbf29ce484222325n;
  for (const vector of [parameters, moment1, moment2])
    for (const word of new Uint32Array(vector.buffer, vector.byteOffset, vector.length))
      hash = BigInt.asUintN(64, (hash ^ BigInt(word)) * 0x100000001b3n);
  return hash.toString(16);
}

/** The first half of a vector learns at half the rate. */
function halves(size: number) {
  const half = Math.floor(size / 2);
  return [
    { elements: half, factor: 0.5 },
    { elements: size - half, factor: 1 },
  ];
}

/** Windows of two short rows each, as conversations are packed. */
function rowsOf(tokens: Int32Array): TokenRow[][] {
  const row = (at: number, size: number): TokenRow => ({
    ids: tokens.slice(at, at + size),
    flags: Uint8Array.from({ length: size }, (_, i) => (i > 1 ? 1 : 0)),
  });
  return Array.from({ length: 20 }, (_, i) => [row(17 * i, 9), row(17 * i + 9, 6)]);
}
