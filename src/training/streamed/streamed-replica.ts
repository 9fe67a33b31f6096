import type { Engine, HostArray, SessionOptions } from '../../engine/engine.js';
import type { Objective } from '../../objectives/objective.js';
import { type AdamwOptions, AdamwUpdate, limitedScale, type StepNumbers, type StepReport } from '../adamw.js';
import type { LossSum } from '../evaluation.js';
import { feedArrays } from '../step-program.js';
import { VectorNorm } from '../vector-norm.js';
import { type CutGraph, cutGraph } from './cut-graph.js';
import {
  type BoundarySizes,
  type BoundaryStore,
  boundarySizes,
  type States,
  StatesInMemory,
  StatesPutBy,
  type StepStates,
} from './hidden-states.js';
import { type BatchCosts, LayeredPass } from './layered-pass.js';
import { lossOfSamples, weighedCosts } from './loss-of-samples.js';
import { type OpenSections, type SectionAccess, StoredSections } from './section-access.js';
import { SectionUpdates } from './section-updates.js';
import type { Section } from './sections.js';
import type { SectionStore } from './store.js';

/** What trains sections. */
export type SectionOptimizer = Pick<AdamwOptions, 'beta1' | 'beta2' | 'epsilon' | 'weightDecay' | 'clip' | 'moments'>;

/** What a replica trains layer by layer, and with what. */
export interface StreamedOptions<Sample> {
  readonly objective: Objective<Sample>;
  readonly engine: Engine;
  /** Samples of a micro-batch. */
  readonly batch: number;
  /** Micro-batches of a step: all of them go through a layer before the next one's parameters are needed. */
  readonly gradientAccumulation: number;
  readonly optimizer: SectionOptimizer;
  /** How it comes at its sections: see {@link storedSections} for those of a store. Closed with it. */
  readonly open: OpenSections;
  /** Where the hidden states between layers are kept, closed with it; in memory where left out. */
  readonly boundaries?: ((sizes: BoundarySizes) => Promise<BoundaryStore>) | undefined;
  /** Rows of a table in a section, at most; as {@link cutGraph} has it. */
  readonly rows?: number | undefined;
  readonly compile?: SessionOptions;
}

/** Sections of a store that has all of them, made for those of a model. */
export function storedSections(
  { engine, optimizer, compile = {} }: Pick<StreamedOptions<never>, 'engine' | 'optimizer' | 'compile'>,
  make: (sections: readonly Section[]) => SectionStore | Promise<SectionStore>,
): OpenSections {
  return async (sections) => {
    const store = await make(sections);
    const adamw = new AdamwUpdate(engine, optimizer, compile);
    const updates = new SectionUpdates(store, sections, adamw, optimizer.moments);
    return new StoredSections(store, updates, new VectorNorm(engine, compile));
  };
}

/**
 * A replica that never holds more of its model than a layer or two: it does what `Replica` does, and the same numbers come
 * out but for the order of sums. A step's gradient is clipped by its global norm, which is known when all of it is; so it is
 * put by, and the step is taken in the next one's forward pass, where each layer's parameters come by anyway.
 */
export class StreamedReplica<Sample = unknown> {
  #pending: StepNumbers | undefined;
  #squares = Number.NaN;
  readonly #feeds: readonly Record<string, HostArray>[];

  private constructor(
    private readonly options: StreamedOptions<Sample>,
    private readonly graph: CutGraph,
    private readonly access: SectionAccess,
    private readonly pass: LayeredPass,
    private readonly states: StepStates,
  ) {
    const { objective, batch, gradientAccumulation } = options;
    const feeds = () => feedArrays(objective as Objective<never>, batch);
    this.#feeds = Array.from({ length: gradientAccumulation }, feeds);
  }

  /** @throws MeanfieldError for an objective or an architecture that cannot be cut between layers */
  static async create<Sample>(options: StreamedOptions<Sample>): Promise<StreamedReplica<Sample>> {
    const { objective, engine, batch, gradientAccumulation, rows, compile = {} } = options;
    const graph = cutGraph(objective as Objective<never>, batch, rows);
    const access = await options.open(graph.sections);
    const pass = await LayeredPass.create(engine, graph, access, gradientAccumulation > 1, compile);
    const sizes = boundarySizes(graph, gradientAccumulation);
    const boundaries = await options.boundaries?.(sizes);
    const states = boundaries ? await StatesPutBy.make(boundaries, sizes) : new StatesInMemory(sizes);
    return new StreamedReplica(options, graph, access, pass, states);
  }

  /** What its model is cut into. */
  get sections(): readonly Section[] {
    return this.graph.sections;
  }

  /** Tokens that one step trains on. */
  get tokensPerStep(): number {
    const { objective, batch, gradientAccumulation } = this.options;
    return batch * (objective.tokensPerSample ?? 1) * gradientAccumulation;
  }

  /** By what the gradient of a step of so much weight must be multiplied to be its mean over targets. */
  scaleOf(weight: number): number {
    const { objective, batch } = this.options;
    return objective.unit(batch) / weight;
  }

  /**
   * The gradient of a step's micro-batches, summed; the step before it is taken on the way.
   *
   * @param nextBatch gives the samples of a micro-batch
   * @returns the mean loss at the parameters before the step, and the weight of its targets
   */
  async computeGradient(nextBatch: () => readonly Sample[]): Promise<{ loss: number; weight: number }> {
    const { objective, batch } = this.options;
    let weight = 0;
    for (const feeds of this.#feeds) weight += objective.fill(nextBatch(), feeds);
    const costs = await this.#forward(this.#feeds, this.states);
    const each = objective.unit(batch) / this.graph.tokens;
    const loss = (each * costs.reduce((sum, one) => sum + weighedCosts(one), 0)) / weight;
    this.#squares = await this.access.squares(await this.pass.backward(this.#feeds, costs, this.states));
    await this.access.settle();
    return { loss, weight };
  }

  /**
   * AdamW's step with the gradient, which is taken when the layers are next gone through.
   *
   * @param step counted from 0
   * @param scale what the gradient is multiplied by first: {@link scaleOf} the weight of the step
   */
  async applyGradient(step: number, learningRate: number, scale: number): Promise<StepReport> {
    const gradientNorm = scale * Math.sqrt(this.#squares);
    if (!Number.isFinite(gradientNorm)) return { gradientNorm };
    const limited = limitedScale(gradientNorm, scale, this.options.optimizer.clip);
    this.#pending = { step, learningRate, limited };
    return { gradientNorm };
  }

  /** Takes the step that is still to be taken: all sections are then what the last step left. */
  async flush(): Promise<void> {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending) await this.access.through([...this.sections.keys()], undefined, pending);
    await this.access.settle();
  }

  /** How often {@link lossSum} of so many samples goes through the model. */
  passesFor(samples: number): number {
    return Math.ceil(samples / (this.#mostTogether * this.options.batch));
  }

  /**
   * What samples cost, without a gradient; the step that is still to be taken is taken on the way.
   *
   * @param passes goes through the model so often at least, for others that do
   */
  async lossSum(samples: Iterable<Sample>, passes = 0): Promise<LossSum> {
    const { objective, batch } = this.options;
    const { places } = this.states;
    const most = this.#mostTogether;
    const states: States = {
      rows: (b) => places[2 * b + 1]!,
      state: (layer, b) => places[2 * b + (layer % 2)]!,
      hidden: (b) => places[2 * b + ((this.graph.blocks.length + 1) % 2)]!,
    };
    const loss = await lossOfSamples(objective, samples, { batch, most, passes }, (feeds) =>
      this.#forward(feeds, states),
    );
    await this.access.settle();
    return loss;
  }

  async dispose(): Promise<void> {
    await this.pass.dispose();
    await this.states.close();
    await this.access.close();
  }

  /** Micro-batches that go through a layer in one visit where no way back follows: two states of each are enough. */
  get #mostTogether(): number {
    return Math.max(1, Math.floor(this.states.places.length / 2));
  }

  #forward(feeds: readonly Record<string, HostArray>[], states: States): Promise<BatchCosts[]> {
    const pending = this.#pending;
    this.#pending = undefined;
    return this.pass.forward(feeds, states, pending);
  }
}
