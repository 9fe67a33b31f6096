import { join } from 'node:path';
import type { CommittedVectors } from '../../averaging/committed.js';
import type { Fragment } from '../../averaging/fragments.js';
import { MeanfieldError } from '../../base/errors.js';
import type { Engine } from '../../engine/engine.js';
import { NodeEngine } from '../../engine/node/engine.js';
import { trainingCompile } from '../../local/model-thread.js';
import { holdsOnDisk } from '../../local/offload-need.js';
import type { Task } from '../../local/task.js';
import { halfOf } from '../../training/precision-names.js';
import type { RangedVector } from '../../training/ranged-vector.js';
import { RANGE } from '../../training/ranges.js';
import { Replica } from '../../training/replica.js';
import { BoundaryFile } from '../../training/streamed/disk/boundary-file.js';
import { FileStore } from '../../training/streamed/disk/file-store.js';
import { SectionVector } from '../../training/streamed/section-vector.js';
import { StreamedReplica, storedSections } from '../../training/streamed/streamed-replica.js';
import type { ModelSetup } from './commands.js';
import type { Exchange, LocalVectors } from './exchange.js';

/** A member's own model between two commits: it is trained, and its vectors are read and set. */
export interface LocalModel extends Pick<Replica<unknown>, 'tokensPerStep' | 'computeGradient' | 'scaleOf'> {
  /** As {@link Replica.applyGradient} has it. */
  applyGradient(step: number, learningRate: number, scale: number): Promise<{ readonly gradientNorm: number }>;
  /** What steps have made of its vectors, to be read. */
  vectors(averagedMoments: boolean): Promise<LocalVectors>;
  /** Takes the committed parameters, and moments where they are averaged. */
  take(committed: CommittedVectors<RangedVector>): Promise<void>;
  /** Draws a fragment to what was committed of it. */
  mix(exchange: Exchange, fragment: number): Promise<void>;
  dispose(): Promise<void>;
}

/** @throws MeanfieldError for a model that cannot be trained so */
export function createLocalModel(
  setup: ModelSetup,
  task: Task,
  fragments: readonly Fragment[],
  engine: Engine,
): Promise<LocalModel> {
  return setup.offload ? LayeredModel.create(setup, task) : WholeModel.create(setup, task, fragments, engine);
}

/** In memory as a whole. */
class WholeModel implements LocalModel {
  private constructor(
    private readonly replica: Replica<unknown>,
    private readonly fragments: readonly Fragment[],
  ) {}

  static async create(
    setup: ModelSetup,
    { objective, frozen }: Task,
    fragments: readonly Fragment[],
    engine: Engine,
  ): Promise<WholeModel> {
    const { run } = setup;
    const replica = await Replica.create({
      ...{ objective, frozen, engine },
      batch: run.batchSize,
      gradientAccumulation: run.gradAccum,
      optimizer: run.optimizer,
      dropout: run.dropout ? { rate: run.dropout, seed: run.seed } : undefined,
      half: halfOf(setup.precision),
      int8: setup.precision === 'int8' ? { seed: run.seed } : undefined,
      compile: trainingCompile(setup.threads, setup.alone),
    });
    return new WholeModel(replica, fragments);
  }

  get tokensPerStep(): number {
    return this.replica.tokensPerStep;
  }

  computeGradient(...args: Parameters<LocalModel['computeGradient']>): ReturnType<LocalModel['computeGradient']> {
    return this.replica.computeGradient(...args);
  }

  scaleOf(weight: number): number {
    return this.replica.scaleOf(weight);
  }

  applyGradient(step: number, learningRate: number, scale: number): ReturnType<LocalModel['applyGradient']> {
    return this.replica.applyGradient(step, learningRate, scale);
  }

  vectors(averagedMoments: boolean): Promise<LocalVectors> {
    return this.replica.fetch('parameters', ...(averagedMoments ? (['moment1', 'moment2'] as const) : []));
  }

  async take({ parameters, moments }: CommittedVectors<RangedVector>): Promise<void> {
    const { vectors } = this.replica;
    await this.#copy(parameters, vectors.parameters);
    this.replica.changed('parameters');
    if (!moments) return;
    await this.#copy(moments[0], vectors.moment1);
    await this.#copy(moments[1], vectors.moment2);
    this.replica.changed('moment1', 'moment2');
  }

  async mix(exchange: Exchange, fragment: number): Promise<void> {
    await exchange.mix(fragment, await this.replica.fetch('parameters'));
    this.replica.changed('parameters');
  }

  dispose(): Promise<void> {
    return this.replica.dispose();
  }

  async #copy(from: RangedVector, into: Float32Array): Promise<void> {
    for (const { start, end } of this.fragments) into.set(await from.read({ start, end }), start);
  }
}

/** Layer by layer, with some or all of it on disk. */
class LayeredModel implements LocalModel {
  readonly #parameters: SectionVector;

  private constructor(
    private readonly replica: StreamedReplica,
    store: FileStore,
    { objective }: Task,
  ) {
    this.#parameters = new SectionVector(store, replica.sections, objective.layout);
  }

  static async create({ run, threads, alone, offload }: ModelSetup, task: Task): Promise<LayeredModel> {
    const { folder, resident, statesOnDisk } = offload!;
    const everything = holdsOnDisk(offload!);
    let store!: FileStore;
    const means = {
      engine: new NodeEngine(),
      optimizer: run.optimizer,
      // As in a run on one machine: an arena keeps what the largest layer needed for each kind of layer.
      compile: { ...trainingCompile(threads, alone), arena: !everything },
    };
    const replica = await StreamedReplica.create({
      ...means,
      objective: task.objective,
      batch: run.batchSize,
      gradientAccumulation: run.gradAccum,
      open: storedSections(means, async (sections) => {
        const buffers = everything ? 3 : 4;
        const range = RANGE * threads;
        // Who is started again takes what is committed: no checkpoint is made of what a member has.
        return (store = await FileStore.open({ folder, sections, resident, range, buffers, checkpoints: false }));
      }),
      boundaries: statesOnDisk ? (sizes) => BoundaryFile.open(join(folder, 'states'), sizes) : undefined,
    });
    return new LayeredModel(replica, store, task);
  }

  get tokensPerStep(): number {
    return this.replica.tokensPerStep;
  }

  async computeGradient(nextBatch: () => readonly unknown[]): ReturnType<LocalModel['computeGradient']> {
    this.#parameters.close();
    return this.replica.computeGradient(nextBatch);
  }

  scaleOf(weight: number): number {
    return this.replica.scaleOf(weight);
  }

  applyGradient(step: number, learningRate: number, scale: number): ReturnType<LocalModel['applyGradient']> {
    return this.replica.applyGradient(step, learningRate, scale);
  }

  async vectors(): Promise<LocalVectors> {
    this.#parameters.close();
    await this.replica.flush();
    return { parameters: this.#parameters };
  }

  async take({ parameters }: CommittedVectors<RangedVector>): Promise<void> {
    this.#parameters.close();
    // The moments keep the step that is still to be taken.
    await this.replica.flush();
    await this.#parameters.fill(parameters);
  }

  async mix(): Promise<never> {
    throw new MeanfieldError('A model that is trained layer by layer is not exchanged in fragments.');
  }

  async dispose(): Promise<void> {
    this.#parameters.close();
    await this.replica.dispose();
  }
}
