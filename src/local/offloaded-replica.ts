import { rm } from 'node:fs/promises';
import { MeanfieldError } from '../base/errors.js';
import { writeFileSynced } from '../base/files/atomic.js';
import { sha256 } from '../base/hash.js';
import type { JsonObject, JsonValue } from '../base/json.js';
import { Random } from '../base/random.js';
import { encodeSafetensorsInPieces } from '../base/safetensors-writer.js';
import { BatchSampler } from '../data/index.js';
import { NodeEngine } from '../engine/node/engine.js';
import type { ParameterLayout, ParameterPiece } from '../model/layout.js';
import type { LossSum } from '../training/evaluation.js';
import { RANGE } from '../training/ranges.js';
import { learningRate } from '../training/schedule.js';
import { FileStore } from '../training/streamed/disk/file-store.js';
import { ParameterReader, setParameters } from '../training/streamed/parameter-pieces.js';
import { StreamedReplica } from '../training/streamed/streamed-replica.js';
import type { LiveReplica } from './live-replica.js';
import type {
  OffloadSetup,
  ReplicaCommands,
  ReplicaSetup,
  ReplicaState,
  ReplicaTrained,
  StepDone,
} from './messages.js';
import { openTask, type Task } from './task.js';

/** A replica whose model is trained layer by layer, with sections on disk; it is the only one of its run. */
export class OffloadedReplica implements LiveReplica {
  /** Of the targets since the last contribution. */
  #weight = 0;
  #steps = 0;

  private constructor(
    private readonly setup: ReplicaSetup,
    private readonly task: Task,
    private readonly replica: StreamedReplica,
    private readonly store: FileStore,
    private readonly sampler: BatchSampler<unknown>,
  ) {}

  static async create(setup: ReplicaSetup, { folder, resident }: OffloadSetup): Promise<OffloadedReplica> {
    const { batchSize, threads, seed, gradAccum, optimizer } = setup;
    const task = await openTask(setup.task, seed);
    const sampler = new BatchSampler({ source: task.training, batchSize, replica: 0, worldSize: 1 });
    let store: FileStore | undefined;
    const everything = !resident.includes('parameters');
    const replica = await StreamedReplica.create({
      objective: task.objective,
      engine: new NodeEngine(),
      batch: batchSize,
      gradientAccumulation: gradAccum,
      optimizer,
      store: async (sections) => {
        const range = RANGE * threads;
        return (store = await FileStore.open({ folder, sections, resident, range, buffers: everything ? 3 : 4 }));
      },
      // An arena keeps what the largest layer needed for each kind of layer: hundreds of megabytes.
      compile: { threads, spinning: threads > 1, arena: !everything },
    });
    return new OffloadedReplica(setup, task, replica, store!, sampler);
  }

  async load({ parameters, sampler }: ReplicaState): Promise<string> {
    const { layout } = this.task.objective;
    if (this.store.state === undefined) {
      const pieces =
        parameters.length > 0
          ? piecesOf(layout, parameters)
          : layout.initialPieces(new Random(this.setup.seed, 'parameters'));
      await setParameters(this.store, this.replica.sections, pieces);
    }
    if (sampler) this.sampler.restore(sampler);
    return this.#hash();
  }

  async step(step: number, rate = learningRate(this.setup.schedule, step)): Promise<StepDone> {
    const { loss, weight } = await this.replica.computeGradient(() => this.sampler.next());
    this.#weight += weight;
    this.#steps = step + 1;
    if (!Number.isFinite(loss)) return { step, loss, weight, gradientNorm: 0 };
    const { gradientNorm } = await this.replica.applyGradient(step, rate, this.replica.scaleOf(weight));
    return { step, loss, weight, gradientNorm };
  }

  /** Steps whose gradient is not finite have told so themselves. */
  async contribute(steps: number, seconds: number): Promise<ReplicaTrained> {
    const weight = this.#weight;
    this.#weight = 0;
    const tokens = steps * this.replica.tokensPerStep;
    return { tokens, weight, steps, seconds, finite: true, norm: 0, parts: [undefined] };
  }

  async take(): Promise<ReplicaCommands['take'][1]> {
    return { hash: this.#hash(), gradientNorm: 0 };
  }

  evaluate(numbers: readonly number[]): Promise<LossSum> {
    return this.replica.lossSum(numbers.map((number) => this.task.validation(number)));
  }

  async commit(state: JsonObject): Promise<null> {
    await this.replica.flush();
    await this.store.commit({ ...state, samplers: [this.sampler.state as unknown as JsonValue] });
    return null;
  }

  async weights(path: string): Promise<{ sha256: string }> {
    await this.replica.flush();
    const { layout } = this.task.objective;
    const reader = new ParameterReader(this.store, this.replica.sections);
    try {
      const pieces = encodeSafetensorsInPieces(layout.entries, (name) => reader.values(name), { format: 'pt' });
      // One that a killed process left.
      await rm(path, { force: true });
      return await writeFileSynced(path, pieces);
    } finally {
      reader.close();
    }
  }

  async merge(): Promise<never> {
    throw alone();
  }

  async sample(): Promise<never> {
    throw alone();
  }

  async snapshot(): Promise<never> {
    throw alone();
  }

  async dispose(): Promise<void> {
    await this.replica.dispose();
    this.task.close();
  }

  /** Nobody has others to compare them with, and to read them all for it would cost as much as a step. */
  #hash(): string {
    return sha256(`a model on disk, ${this.#steps}`);
  }
}

function* piecesOf(layout: ParameterLayout, vector: Float32Array): Generator<ParameterPiece> {
  for (const { name, offset, size } of layout.entries)
    yield { name, from: 0, values: vector.subarray(offset, offset + size) };
}

const alone = (): MeanfieldError => new MeanfieldError('A model on disk has no other replicas, and writes no texts.');
