import { OuterOptimizer } from '../averaging/outer.js';
import { hashShard, hashVector, type Shard } from '../averaging/shards.js';
import { MeanfieldError } from '../base/errors.js';
import { BatchSampler } from '../data/index.js';
import type { Engine } from '../engine/engine.js';
import { createEngine } from '../engine/node/create.js';
import type { Generator } from '../inference/index.js';
import { Evaluator, type LossSum } from '../training/evaluation.js';
import { blankMoment, copyMoment, cutMoment, type Moment, type MomentName } from '../training/moments.js';
import { halfOf } from '../training/precision-names.js';
import { Replica } from '../training/replica.js';
import { learningRate } from '../training/schedule.js';
import type { VectorName } from '../training/trained-vectors.js';
import { VectorNorm } from '../training/vector-norm.js';
import type { LiveReplica } from './live-replica.js';
import type {
  Parts,
  ReplicaCommands,
  ReplicaSetup,
  ReplicaState,
  ReplicaTrained,
  Snapshot,
  SnapshotRequest,
  StepDone,
} from './messages.js';
import { type Commands, evaluationCompile, ModelThread, trainingCompile } from './model-thread.js';
import { OffloadedReplica } from './offloaded-replica.js';
import { ShardedReplica } from './sharded-replica.js';
import { shardsOf } from './shards-of.js';
import { StreamedBaseReplica, streamedBase } from './streamed-base-replica.js';
import { openTask, type Task } from './task.js';

/** A replica and all that it does for the others. */
export class ReplicaThread extends ModelThread<ReplicaCommands, LiveReplica> {
  protected readonly commands: Commands<ReplicaCommands> = {
    init: async (setup) => {
      if (streamedBase(setup.task)) await this.open(StreamedBaseReplica.create(setup));
      else if (setup.shared) await this.open(ShardedReplica.create(setup, setup.shared));
      else await this.open(setup.offload ? OffloadedReplica.create(setup, setup.offload) : Live.create(setup));
      return null;
    },
    load: async (state) => this.model.load(state),
    train: (input, onStep) => this.#train(input, onStep),
    merge: ({ weights, total, parts }) => this.model.merge(weights, total, parts),
    update: ({ step, squares, rate }) => this.model.update(step, squares, rate),
    take: ({ step, parts, squares, rate }) => this.model.take(step, parts, squares, rate),
    evaluate: (numbers) => this.model.evaluate(numbers),
    sample: (tokens) => this.model.sample(tokens),
    snapshot: (request) => this.model.snapshot(request),
    commit: (state) => this.model.commit(state),
    weights: (path) => this.model.weights(path),
    shard: (request) => this.model.shard(request),
    close: () => this.close(),
  };

  async #train(
    { step, steps, rates }: ReplicaCommands['train'][0],
    onStep: (step: StepDone) => void,
  ): Promise<ReplicaTrained> {
    const done = await this.steps(steps, (i) => this.model.step(step + i, rates?.[i]), onStep);
    if (done === null) throw new MeanfieldError('The replica was told to stop.');
    const { fault, seconds } = done;
    if (fault)
      return { tokens: 0, weight: 0, steps: done.steps, seconds: 0, finite: false, norm: Number.NaN, parts: [], fault };
    return this.model.contribute(steps, seconds);
  }
}

/** A replica with its graphs compiled. */
class Live implements LiveReplica {
  readonly #shards: readonly Shard[];
  readonly #own: Shard;
  readonly #momentum: Float32Array;
  /** The last committed parameters, from which a pseudo-gradient is measured. */
  readonly #base: Float32Array | undefined;
  #generator: Generator | undefined;
  /** Of the targets since the last contribution, and of those that the gradient is of. */
  #weight = 0;
  #gradientScale = 1;
  /** Of the step that a sharded replica has made. */
  #gradientNorm = 0;
  /** Where values for the others travel; moved away with each contribution, moved back with the result. */
  #parts: Parts;

  private constructor(
    private readonly setup: ReplicaSetup,
    private readonly task: Task,
    private readonly engine: Engine,
    private readonly replica: Replica,
    private readonly sampler: BatchSampler<unknown>,
    private readonly evaluator: Evaluator<unknown>,
    private readonly norms: VectorNorm,
    private readonly outer: OuterOptimizer | undefined,
  ) {
    const { replica: own, exchange } = setup;
    const { size } = task.objective.layout;
    this.#shards = shardsOf(setup, size);
    this.#own = this.#shards[own]!;
    this.#momentum = new Float32Array(this.#own.end - this.#own.start);
    this.#base = exchange === 'parameters' ? new Float32Array(size) : undefined;
    this.#parts = this.#shards.map(({ start, end }, i) =>
      i === own ? undefined : new Float32Array(this.#exchanged.length * (end - start)),
    );
  }

  static async create(setup: ReplicaSetup): Promise<Live> {
    const engine = await createEngine(setup.device);
    const { batchSize, threads, replicas, replica: index, seed, dropout } = setup;
    const task = await openTask(setup.task, seed);
    const { objective, frozen, teacher } = task;
    const own = shardsOf(setup, objective.layout.size)[index]!;
    const sampler = new BatchSampler({ source: task.training, batchSize, replica: index, worldSize: replicas });
    const replica = await Replica.create({
      ...{ objective, frozen, teacher, engine },
      batch: batchSize,
      gradientAccumulation: setup.gradAccum,
      optimizer: setup.optimizer,
      dropout: dropout ? { rate: dropout, seed } : undefined,
      recompute: setup.recompute,
      half: halfOf(setup.precision),
      int8: setup.precision === 'int8' ? { seed } : undefined,
      ...(setup.sharded && { part: own }),
      compile: trainingCompile(threads, replicas === 1),
    });
    const evaluator = new Evaluator(objective, engine, batchSize, evaluationCompile(threads), frozen);
    // What replicas exchange is in this process, wherever they train.
    const exact = engine.target === 'cpu' ? engine : await createEngine('cpu');
    const norms = new VectorNorm(exact);
    const length = own.end - own.start;
    const outer =
      setup.exchange === 'nothing' ? undefined : await OuterOptimizer.create(exact, length, replicas, setup.outer);
    return new Live(setup, task, engine, replica, sampler, evaluator, norms, outer);
  }

  load(state: ReplicaState): string {
    const { parameters, moment1, moment2 } = state;
    this.replica.adopt({ parameters, ...(moment1 && { moment1 }), ...(moment2 && { moment2 }) });
    this.#base?.set(parameters);
    if (state.outerMomentum) this.#momentum.set(state.outerMomentum);
    if (state.sampler) this.sampler.restore(state.sampler);
    if (state.sampler?.lossScale) this.replica.restoreLossScale(state.sampler.lossScale);
    return hashVector(parameters, this.#shards);
  }

  /** One inner step; where gradients are averaged, the gradient alone. */
  async step(step: number, rate = learningRate(this.setup.schedule, step)): Promise<StepDone> {
    const { loss, weight } = await this.replica.computeGradient(() => this.sampler.next(), [this.setup.replica, step]);
    this.#weight += weight;
    this.#gradientScale = this.replica.scaleOf(weight);
    if (this.setup.exchange === 'gradients' || !Number.isFinite(loss)) return { step, loss, weight, gradientNorm: 0 };
    const { gradientNorm } = await this.replica.applyGradient(step, rate, this.#gradientScale);
    return { step, loss, weight, gradientNorm };
  }

  async contribute(steps: number, seconds: number): Promise<ReplicaCommands['train'][1]> {
    await this.replica.fetch(...this.#exchangedNames);
    const { finite, norm } = await this.#measure();
    this.#parts.forEach((part, i) => {
      const { start, end } = this.#shards[i]!;
      this.#exchanged.forEach((vector, k) => {
        part?.set(vector.subarray(start, end), k * (end - start));
      });
    });
    const weight = this.#weight;
    this.#weight = 0;
    const tokens = steps * this.replica.tokensPerStep;
    return { tokens, weight, steps, seconds, finite, norm, parts: this.#parts };
  }

  async merge(weights: readonly number[], total: number, parts: Parts): Promise<ReplicaCommands['merge'][1]> {
    // A gradient is a sum over targets already, and only together are they a mean: each counts once.
    const each = weights.map(() => 1 / weights.length);
    this.#gradientScale = weights.length * this.replica.scaleOf(total);
    const { start, end } = this.#own;
    const length = end - start;
    for (const [k, vector] of this.#exchanged.entries()) {
      const values = this.#shards.map(
        (_, i) => parts[i]?.subarray(k * length, (k + 1) * length) ?? vector.subarray(start, end),
      );
      if (this.#base && k === 0) {
        await this.outer!.step(this.#base.subarray(start, end), this.#momentum, values, weights, values);
      } else {
        const into = this.setup.sharded ? [vector.subarray(start, end)] : values;
        await this.outer!.mean(values, this.#base ? weights : each, into);
      }
    }
    const hash = hashShard(this.#exchanged[0]!, this.#own);
    if (this.#base) return { parts, hash };
    const squares = await this.norms.squares(this.#exchanged[0]!.subarray(start, end));
    if (!this.setup.sharded) return { parts, hash, squares };
    this.#parts = parts;
    return { parts: [], hash, squares };
  }

  async update(
    step: number,
    squares: number,
    rate = learningRate(this.setup.schedule, step),
  ): Promise<ReplicaCommands['update'][1]> {
    const report = await this.replica.applyGradient(step, rate, this.#gradientScale, Math.sqrt(squares));
    this.#gradientNorm = report.gradientNorm;
    const { parameters } = await this.replica.fetch('parameters');
    const { start, end } = this.#own;
    for (const part of this.#parts) part?.set(parameters.subarray(start, end));
    return { parts: this.#parts };
  }

  async take(
    step: number,
    parts: Parts,
    squares: number,
    rate = learningRate(this.setup.schedule, step),
  ): Promise<ReplicaCommands['take'][1]> {
    const taken = this.setup.sharded ? [this.replica.vectors.parameters] : this.#exchanged;
    parts.forEach((part, i) => {
      const { start, end } = this.#shards[i]!;
      taken.forEach((vector, k) => {
        if (part) vector.set(part.subarray(k * (end - start), (k + 1) * (end - start)), start);
      });
    });
    this.#parts = parts;
    let gradientNorm = this.#gradientNorm;
    if (this.setup.sharded) this.replica.changed('parameters');
    else if (this.setup.exchange !== 'nothing') this.replica.changed(...this.#exchangedNames);
    if (this.setup.exchange === 'gradients' && !this.setup.sharded) {
      ({ gradientNorm } = await this.replica.applyGradient(step, rate, this.#gradientScale, Math.sqrt(squares)));
      await this.replica.fetch('parameters');
    }
    const { parameters } = this.replica.vectors;
    this.#base?.set(parameters);
    return { hash: hashVector(parameters, this.#shards), gradientNorm };
  }

  async evaluate(numbers: readonly number[]): Promise<LossSum> {
    const samples = numbers.map((number) => this.task.validation(number));
    const { parameters } = await this.replica.fetch('parameters');
    return this.evaluator.inTraining(parameters, samples);
  }

  /** Chance comes from a generator of its own, so that the training never notices. */
  async sample(maxTokens: number): Promise<string> {
    const { task, engine, setup } = this;
    if (!task.writer) throw new Error('this model does not write');
    // Kept, since its graphs take longer to compile than the text to be written.
    const { parameters } = await this.replica.fetch('parameters');
    this.#generator ??= task.writer(engine, parameters, setup.threads);
    return (await this.#generator.generate({ maxTokens }).result()).text;
  }

  async snapshot({ parameters, moments, outerMomentum, reuse }: SnapshotRequest): Promise<Snapshot> {
    const { lossScale } = this.replica;
    const vectors = await this.replica.fetch(
      ...(parameters ? (['parameters'] as const) : []),
      ...(moments ? (['moment1', 'moment2'] as const) : []),
    );
    return {
      sampler: { ...this.sampler.state, ...(lossScale && { lossScale }) },
      ...(parameters && { parameters: copyMoment(vectors.parameters, reuse?.parameters) }),
      ...(moments && { moment1: this.#momentCopy('moment1', reuse?.moment1) }),
      ...(moments && { moment2: this.#momentCopy('moment2', reuse?.moment2) }),
      ...(outerMomentum && { outerMomentum: copyMoment(this.#momentum, reuse?.outerMomentum) }),
    };
  }

  #momentCopy(name: MomentName, reuse: Moment | undefined): Moment {
    const own = this.replica.moments[name];
    if (!this.setup.sharded) return copyMoment(own, reuse);
    const whole = reuse ?? blankMoment(this.task.objective.layout.size, this.setup.optimizer.moments);
    copyMoment(own, cutMoment(whole, this.#own));
    return whole;
  }

  async commit(): Promise<never> {
    throw new Error('the model is in memory');
  }

  async weights(): Promise<never> {
    throw new Error('the model is in memory');
  }

  async shard(): Promise<never> {
    throw new Error('the model is in no sections');
  }

  async dispose(): Promise<void> {
    await this.replica.dispose();
    await this.evaluator.dispose();
    await this.#generator?.dispose();
    await this.norms.dispose();
    await this.outer?.dispose();
    this.task.close();
  }

  /** The vectors that are averaged. */
  get #exchanged(): readonly Float32Array[] {
    return this.#exchangedNames.map((name) => this.replica.vectors[name]);
  }

  get #exchangedNames(): readonly VectorName[] {
    const { exchange, averageMoments } = this.setup;
    if (exchange === 'gradients') return ['gradient'];
    return exchange === 'parameters' && averageMoments ? ['parameters', 'moment1', 'moment2'] : ['parameters'];
  }

  /** The norm of the pseudo-gradient, or of the gradient where that is averaged; a single replica has neither. */
  async #measure(): Promise<{ finite: boolean; norm: number }> {
    const { parameters, gradient } = this.replica.vectors;
    if (this.setup.exchange === 'nothing') {
      return { finite: Number.isFinite(await this.norms.norm(parameters)), norm: 0 };
    }
    const norm = await (this.#base ? this.norms.distance(this.#base, parameters) : this.norms.norm(gradient));
    return { finite: Number.isFinite(norm), norm };
  }
}
