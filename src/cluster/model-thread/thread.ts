import { CommittedModel } from '../../averaging/committed.js';
import { cutFragments, type Fragment } from '../../averaging/fragments.js';
import { MeanfieldError } from '../../base/errors.js';
import { RangeSampler } from '../../data/ledger/index.js';
import { createEngine } from '../../engine/node/create.js';
import type { StepDone } from '../../local/messages.js';
import { type Commands, evaluationCompile, ModelThread, trainingCompile } from '../../local/model-thread.js';
import { openData, type Task } from '../../local/task.js';
import { Model } from '../../model/model.js';
import { Evaluator, type LossSum, meanLoss } from '../../training/evaluation.js';
import { halfOf } from '../../training/precision-names.js';
import { Replica } from '../../training/replica.js';
import { learningRate } from '../../training/schedule.js';
import { contextOf } from '../memory.js';
import type { Work } from '../protocol/down.js';
import type { Applied, AuditLosses, AuditRequest, ModelCommands, ModelSetup, Trained } from './commands.js';
import { Exchange } from './exchange.js';

/** Windows that an audit evaluates between two turns of others. */
const AUDIT_WINDOWS = 4;

/** The model on one machine: committed vectors, and for a member a replica that trains. */
export class CommittedModelThread extends ModelThread<ModelCommands, Live> {
  protected readonly commands: Commands<ModelCommands> = {
    init: (setup) => this.inTurn(async () => (await this.open(Live.create(setup))).tokensPerStep),
    load: (vectors) => this.inTurn(() => this.model.load(vectors)),
    train: (work, onStep) => this.#train(work, onStep),
    rollback: () => this.inTurn(() => this.model.rollback()),
    reduce: (request) => this.inTurn(() => this.model.exchange.reduce(request)),
    apply: (result) => this.inTurn(() => this.model.apply(result)),
    evaluate: (windows) => this.inTurn(() => this.model.evaluate(windows)),
    audit: (request) => this.#audit(request),
    snapshot: () => this.inTurn(async () => this.model.committed.all.map((vector) => vector.slice())),
    close: () => this.inTurn(() => this.close()),
  };

  async #train(work: Work, onStep: (step: StepDone) => void): Promise<Trained | null> {
    const begin = async () => this.model.begin(work);
    const done = await this.steps(work.steps, (i) => this.model.step(work, i), onStep, begin);
    if (done === null) return null;
    const { fault, ...means } = done;
    if (fault) return { ...means, tokens: 0, finite: false, norm: Number.NaN, parts: [] };
    const contribution = await this.inTurn(() => this.model.contribution(work.fragment));
    return { ...means, ...contribution, tokens: work.steps * this.model.tokensPerStep };
  }

  async #audit(request: AuditRequest): Promise<AuditLosses> {
    const { vectors, norm } = await this.inTurn(() => this.model.auditVectors(request));
    const { windows } = request;
    const parts = vectors.map((): LossSum[] => []);
    for (let first = 0; first < windows.length; first += AUDIT_WINDOWS) {
      const some = windows.slice(first, first + AUDIT_WINDOWS);
      for (const [i, parameters] of vectors.entries())
        parts[i]!.push(await this.inTurn(() => this.model.evaluate(some, parameters)));
      // As in `train`: a commit that comes meanwhile need not wait for the whole audit.
      await new Promise(setImmediate);
    }
    const [base, contribution, committed = base] = parts.map(meanLoss);
    return { base: base!, contribution: contribution!, committed: committed!, norm };
  }
}

/** What a member has beside the committed vectors. */
interface Trainer {
  readonly replica: Replica<unknown>;
  readonly sampler: RangeSampler<unknown>;
  /** Steps since the moments began, by which their bias is corrected. */
  momentSteps: number;
}

/** A model with its graphs compiled. */
class Live {
  /** A fragment's parameters before the last result was applied: what its contributions started from. */
  #before: { readonly fragment: number; readonly parameters: Float32Array } | undefined;
  #room: Float32Array | undefined;

  private constructor(
    private readonly setup: ModelSetup,
    private readonly fragments: readonly Fragment[],
    readonly committed: CommittedModel,
    readonly exchange: Exchange,
    private readonly task: Task,
    private readonly trainer: Trainer | undefined,
    private readonly evaluator: Evaluator<unknown> | undefined,
  ) {}

  static async create(setup: ModelSetup): Promise<Live> {
    const { run, device, tokens: folder, threads, trains, frozen: part } = setup;
    const engine = await createEngine(device);
    const { model, objective: learned } = run;
    const context = contextOf(Model.fromConfig(model), run);
    const data = { kind: 'data', folder, model, ...(part && { frozen: part }), objective: learned, context } as const;
    const task = await openData(data, run.seed, trains ? 'training' : undefined);
    const { objective, frozen } = task;
    const fragments = cutFragments(objective.layout, run.cluster.fragments);
    const kinds = { momentum: run.outer.method === 'nesterov', moments: run.averageMoments };
    const committed = new CommittedModel(objective.layout.size, fragments, kinds);
    // On the CPU wherever training runs: all machines must come to the same bits, and GPUs fuse operations.
    const exact = device === 'cpu' ? engine : await createEngine('cpu');
    const exchange = new Exchange(exact, run, fragments, committed);
    if (!trains) {
      const evaluator = new Evaluator(objective, engine, run.batchSize, evaluationCompile(threads), frozen);
      return new Live(setup, fragments, committed, exchange, task, undefined, evaluator);
    }
    const sampler = new RangeSampler(task.training);
    const replica = await Replica.create({
      ...{ objective, frozen, engine },
      batch: run.batchSize,
      gradientAccumulation: run.gradAccum,
      optimizer: run.optimizer,
      dropout: run.dropout ? { rate: run.dropout, seed: run.seed } : undefined,
      half: halfOf(setup.precision),
      int8: setup.precision === 'int8' ? { seed: run.seed } : undefined,
      compile: trainingCompile(threads, setup.alone),
    });
    const trainer = { replica, sampler, momentSteps: 0 };
    return new Live(setup, fragments, committed, exchange, task, trainer, undefined);
  }

  /** 0 where nothing is trained. */
  get tokensPerStep(): number {
    return this.trainer?.replica.tokensPerStep ?? 0;
  }

  async load(vectors: readonly Float32Array[]): Promise<string> {
    this.committed.load(vectors);
    this.#before = undefined;
    await this.rollback();
    return this.committed.hash;
  }

  async rollback(): Promise<null> {
    if (!this.trainer) return null;
    const { parameters, moments } = this.committed.vectors;
    const { replica } = this.trainer;
    replica.vectors.parameters.set(parameters);
    replica.changed('parameters');
    if (moments) {
      replica.vectors.moment1.set(moments[0]);
      replica.vectors.moment2.set(moments[1]);
      replica.changed('moment1', 'moment2');
    }
    return null;
  }

  begin({ lease, steps, position }: Work): void {
    const { sampler } = this.#trainer;
    sampler.assign(lease);
    const { batchSize, gradAccum } = this.setup.run;
    if (sampler.remaining !== steps * batchSize * gradAccum)
      throw new MeanfieldError(
        `${steps} steps need ${steps * batchSize * gradAccum} samples, the coordinator gave ${sampler.remaining}.`,
      );
    // Averaged moments are as old as the run; a member's own begin with it.
    if (this.setup.run.averageMoments) this.#trainer.momentSteps = Math.floor(position);
  }

  async step({ steps, position, advance }: Work, i: number): Promise<StepDone> {
    const trainer = this.#trainer;
    const { replica, sampler } = trainer;
    const { batchSize, schedule } = this.setup.run;
    const { loss, weight } = await replica.computeGradient(() => sampler.nextBatch(batchSize), sampler.next);
    if (!Number.isFinite(loss)) return { step: i, loss, weight, gradientNorm: Number.NaN };
    const rate = learningRate(schedule, position + (advance * i) / steps);
    const { gradientNorm } = await replica.applyGradient(trainer.momentSteps++, rate, replica.scaleOf(weight));
    return { step: i, loss, weight, gradientNorm };
  }

  async contribution(fragment: number): Promise<Pick<Trained, 'finite' | 'norm' | 'parts'>> {
    const averaged = this.setup.run.averageMoments ? (['moment1', 'moment2'] as const) : [];
    const vectors = await this.#trainer.replica.fetch('parameters', ...averaged);
    const contribution = await this.exchange.encode(fragment, vectors);
    return { finite: Number.isFinite(contribution.norm), ...contribution };
  }

  async apply(result: ModelCommands['apply'][0]): Promise<Applied> {
    const { fragment, parts } = result;
    await this.exchange.apply(result, () => this.#keepBefore(fragment));
    // With fragments the replica trains on meanwhile, and is drawn to the result; else it is told to start from it.
    if (this.trainer && this.fragments.length > 1) {
      await this.exchange.mix(fragment, await this.trainer.replica.fetch('parameters'));
      this.trainer.replica.changed('parameters');
    }
    return { hash: this.committed.hash, parts };
  }

  /** Only where contributions are audited; it costs a vector, which is made once: fresh memory is slow to come by. */
  #keepBefore(fragment: number): void {
    if (!this.evaluator) return;
    const { start, end } = this.fragments[fragment]!;
    this.#room ??= new Float32Array(Math.max(...this.fragments.map(({ start, end }) => end - start)));
    const parameters = this.#room.subarray(0, end - start);
    parameters.set(this.committed.vectors.parameters.subarray(start, end));
    this.#before = { fragment, parameters };
  }

  async evaluate(numbers: readonly number[], parameters = this.committed.vectors.parameters): Promise<LossSum> {
    if (!this.evaluator) throw new Error('a member does not evaluate');
    return this.evaluator.lossSum(
      parameters,
      numbers.map((number) => this.task.validation(number)),
    );
  }

  /**
   * Copies of the parameters that an audit compares: the base, the contribution's, and the committed ones where they are
   * others than the base.
   */
  async auditVectors({ fragment, base, parts }: AuditRequest) {
    const committed = this.committed.vectors.parameters.slice();
    const start = committed.slice();
    if (base === 'before') {
      if (this.#before?.fragment !== fragment)
        throw new MeanfieldError(
          'What that round began from is not held any more: the coordinator has started again since. The next rounds can be audited.',
        );
      start.set(this.#before.parameters, this.fragments[fragment]!.start);
    }
    const contribution = start.slice();
    const norm = await this.exchange.subtract(fragment, parts, contribution);
    return { vectors: base === 'before' ? [start, contribution, committed] : [start, contribution], norm };
  }

  async dispose(): Promise<void> {
    await this.exchange.dispose();
    await this.trainer?.replica.dispose();
    await this.evaluator?.dispose();
    this.task.close();
  }

  get #trainer(): Trainer {
    if (!this.trainer) throw new Error('the coordinator does not train');
    return this.trainer;
  }
}
