import type { CommittedRanges } from '../../averaging/committed.js';
import { cutFragments, type Fragment } from '../../averaging/fragments.js';
import { MeanfieldError } from '../../base/errors.js';
import { RangeSampler } from '../../data/ledger/index.js';
import { createEngine } from '../../engine/node/create.js';
import type { StepDone } from '../../local/messages.js';
import { type Commands, evaluationCompile, ModelThread } from '../../local/model-thread.js';
import { openData, type Task } from '../../local/task.js';
import { Model } from '../../model/model.js';
import { Evaluator, type LossSum, meanLoss } from '../../training/evaluation.js';
import { learningRate } from '../../training/schedule.js';
import { contextOf } from '../memory.js';
import { partSizes } from '../part-sizes.js';
import { isFile, writeParts } from '../parts.js';
import type { Work } from '../protocol/down.js';
import type { Applied, AuditLosses, AuditRequest, ModelCommands, ModelSetup, Trained } from './commands.js';
import { Exchange } from './exchange.js';
import { HeldVectors } from './held-vectors.js';
import { createLocalModel, type LocalModel } from './local-model.js';

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
    snapshot: () => this.inTurn(async () => this.model.vectors.inMemory.all.map((vector) => vector.slice())),
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
  readonly local: LocalModel;
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
    readonly vectors: HeldVectors,
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
    const vectors = await HeldVectors.open(setup, fragments, objective.layout.size);
    // On the CPU wherever training runs: all machines must come to the same bits, and GPUs fuse operations.
    const exact = device === 'cpu' ? engine : await createEngine('cpu');
    const exchange = new Exchange(exact, run, fragments, vectors.committed, vectors.residual);
    if (!trains) {
      const evaluator = new Evaluator(objective, engine, run.batchSize, evaluationCompile(threads), frozen);
      return new Live(setup, fragments, vectors, exchange, task, undefined, evaluator);
    }
    const sampler = new RangeSampler(task.training);
    const local = await createLocalModel(setup, task, fragments, engine);
    return new Live(setup, fragments, vectors, exchange, task, { local, sampler, momentSteps: 0 }, undefined);
  }

  /** 0 where nothing is trained. */
  get tokensPerStep(): number {
    return this.trainer?.local.tokensPerStep ?? 0;
  }

  get committed(): CommittedRanges {
    return this.vectors.committed;
  }

  async load(vectors: ModelCommands['load'][0]): Promise<string> {
    await this.vectors.load(vectors);
    this.#before = undefined;
    await this.rollback();
    return this.committed.hash;
  }

  async rollback(): Promise<null> {
    await this.trainer?.local.take(this.committed.ranged);
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
    const { local, sampler } = trainer;
    const { batchSize, schedule } = this.setup.run;
    const { loss, weight } = await local.computeGradient(() => sampler.nextBatch(batchSize), sampler.next);
    if (!Number.isFinite(loss)) return { step: i, loss, weight, gradientNorm: Number.NaN };
    const rate = learningRate(schedule, position + (advance * i) / steps);
    const { gradientNorm } = await local.applyGradient(trainer.momentSteps++, rate, local.scaleOf(weight));
    return { step: i, loss, weight, gradientNorm };
  }

  async contribution(fragment: number): Promise<Pick<Trained, 'finite' | 'norm' | 'parts' | 'file'>> {
    const { run } = this.setup;
    const vectors = await this.#trainer.local.vectors(run.averageMoments);
    const path = this.vectors.nextFile();
    if (path === undefined) {
      const contribution = await this.exchange.encode(fragment, vectors);
      return { finite: Number.isFinite(contribution.norm), ...contribution };
    }
    let norm = Number.NaN;
    const sizes = partSizes(this.fragments, run)[fragment]!;
    const file = await writeParts(path, sizes, async (put) => {
      ({ norm } = await this.exchange.encode(fragment, vectors, put));
    });
    return { finite: Number.isFinite(norm), norm, parts: [], file };
  }

  async apply(result: ModelCommands['apply'][0]): Promise<Applied> {
    const { fragment, parts } = result;
    await this.exchange.apply(result, () => this.#keepBefore(fragment));
    // With fragments the replica trains on meanwhile, and is drawn to the result; else it is told to start from it.
    if (this.trainer && this.fragments.length > 1) await this.trainer.local.mix(this.exchange, fragment);
    return { hash: this.committed.hash, parts: isFile(parts) ? [] : parts };
  }

  /** Only where contributions are audited; it costs a vector, which is made once: fresh memory is slow to come by. */
  async #keepBefore(fragment: number): Promise<void> {
    if (!this.evaluator) return;
    const { start, end } = this.fragments[fragment]!;
    this.#room ??= new Float32Array(Math.max(...this.fragments.map(({ start, end }) => end - start)));
    const parameters = this.#room.subarray(0, end - start);
    parameters.set(await this.committed.ranged.parameters.read({ start, end }));
    this.#before = { fragment, parameters };
  }

  async evaluate(numbers: readonly number[], parameters = this.vectors.inMemory.vectors.parameters): Promise<LossSum> {
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
    const committed = this.vectors.inMemory.vectors.parameters.slice();
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
    await this.vectors.close();
    await this.trainer?.local.dispose();
    await this.evaluator?.dispose();
    this.task.close();
  }

  get #trainer(): Trainer {
    if (!this.trainer) throw new Error('the coordinator does not train');
    return this.trainer;
  }
}
