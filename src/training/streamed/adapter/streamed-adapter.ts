import type { Engine, HostArray, SessionOptions } from '../../../engine/engine.js';
import type { Objective } from '../../../objectives/objective.js';
import { Adamw, type AdamwOptions, type OptimizerVectors, type StepReport } from '../../adamw.js';
import type { LossSum } from '../../evaluation.js';
import type { Moment } from '../../moments.js';
import { feedArrays } from '../../step-program.js';
import { checkVectors } from '../../trained-vectors.js';
import { ChunkedHead, RowCosts, sectionTargets } from '../chunked-head.js';
import type { BatchCosts } from '../layered-pass.js';
import { lossOfSamples, weighedCosts } from '../loss-of-samples.js';
import { PartPrograms } from '../part-programs.js';
import { type AdaptedGraph, type AdaptedPart, adaptedGraph } from './adapted-graph.js';
import { BaseSections, type BaseTensors } from './base-sections.js';

/** What an adapter is trained with. */
export interface StreamedAdapterOptions<Sample> {
  /** Its layout is the adapter's, its `frozen` the base's. */
  readonly objective: Objective<Sample>;
  /** Closed with it. */
  readonly base: BaseTensors;
  readonly engine: Engine;
  /** Samples of a micro-batch. */
  readonly batch: number;
  /** Micro-batches of a step: all of them go through a layer in one visit. */
  readonly gradientAccumulation: number;
  readonly optimizer: AdamwOptions;
  /** Rows of a table in a section, at most. */
  readonly rows?: number | undefined;
  readonly compile?: SessionOptions;
}

type Feeds = readonly Readonly<Record<string, HostArray>>[];
/** Where the state is that a part is given, and after the last part what the head scores. */
type Place = (part: number, batch: number) => Float32Array;

/**
 * An adapter beside a model that is never in memory as a whole: its layers come from their files one after another, forward,
 * and once more on the way back, where all but the states between them is made again. The adapter with its gradient and
 * moments stays here, so a step is taken at once.
 */
export class StreamedAdapter<Sample = unknown> {
  #vectors: OptimizerVectors<Moment>;
  readonly #feeds: Feeds;
  /** By part and micro-batch. */
  readonly #states: readonly (readonly Float32Array[])[];

  private constructor(
    private readonly options: StreamedAdapterOptions<Sample>,
    private readonly graph: AdaptedGraph,
    private readonly sections: BaseSections,
    private readonly programs: Awaited<ReturnType<typeof PartPrograms.compile>>,
    private readonly head: ChunkedHead,
    private readonly adamw: Adamw,
  ) {
    const { objective, batch, gradientAccumulation } = options;
    const { size } = objective.layout;
    const [moment1, moment2] = [adamw.blankMoment(), adamw.blankMoment()];
    this.#vectors = { parameters: new Float32Array(size), gradient: new Float32Array(size), moment1, moment2 };
    const each = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
    this.#feeds = each(gradientAccumulation, () => feedArrays(objective as Objective<never>, batch));
    const { tokens, width } = graph.cut;
    // Two more, by turns, for the way back.
    this.#states = each(graph.parts.length + 3, () =>
      each(gradientAccumulation, () => new Float32Array(tokens * width)),
    );
  }

  /** @throws MeanfieldError for what cannot be cut between layers, or is adapted at its ends */
  static async create<Sample>(options: StreamedAdapterOptions<Sample>): Promise<StreamedAdapter<Sample>> {
    const { objective, base, engine, batch, gradientAccumulation, optimizer, rows, compile = {} } = options;
    const graph = adaptedGraph(objective as Objective<never>, batch, rows);
    const layers = graph.parts.map(({ layer }) => layer);
    const programs = await PartPrograms.compile(engine, layers, gradientAccumulation > 1, compile);
    const { tokens, width, head: scores } = graph.cut;
    const head = new ChunkedHead(engine, { tokens, width, softcap: scores.softcap }, compile);
    const adamw = await Adamw.create(engine, objective.layout, optimizer, compile);
    return new StreamedAdapter(options, graph, new BaseSections(base, graph.slices), programs, head, adamw);
  }

  get vectors(): OptimizerVectors<Moment> {
    return this.#vectors;
  }

  /** Makes these its own. */
  adopt(vectors: Partial<OptimizerVectors<Moment>>): void {
    checkVectors(this.options.objective.layout.size, vectors);
    this.#vectors = { ...this.#vectors, ...vectors };
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
   * The gradient of a step's micro-batches, summed.
   *
   * @returns the mean loss, and the weight of its targets
   */
  async computeGradient(nextBatch: () => readonly Sample[]): Promise<{ loss: number; weight: number }> {
    const { objective, batch, base } = this.options;
    await base.check();
    let weight = 0;
    for (const feeds of this.#feeds) weight += objective.fill(nextBatch(), feeds);
    const place: Place = (part, b) => this.#states[part]![b]!;
    const costs = await this.#forward(this.#feeds, place);
    const each = objective.unit(batch) / this.graph.cut.tokens;
    const loss = (each * costs.reduce((sum, one) => sum + weighedCosts(one), 0)) / weight;
    await this.#backward(costs, place);
    return { loss, weight };
  }

  /** AdamW's step with the gradient. @param step counted from 0 */
  applyGradient(step: number, learningRate: number, scale: number): Promise<StepReport> {
    return this.adamw.step(this.#vectors, step, learningRate, scale);
  }

  /** What samples cost, without a gradient. */
  async lossSum(samples: Iterable<Sample>): Promise<LossSum> {
    const { objective, batch, base } = this.options;
    await base.check();
    const places = this.#states.flat();
    // Two states a micro-batch are enough, so that many go through a layer together.
    const most = Math.floor(places.length / 2);
    const place: Place = (part, b) => places[2 * b + (part % 2)]!;
    return lossOfSamples(objective, samples, { batch, most }, (feeds) => this.#forward(feeds, place));
  }

  async dispose(): Promise<void> {
    for (const programs of this.programs.all) await programs.dispose();
    await this.head.dispose();
    await this.adamw.dispose();
    await this.options.base.close();
  }

  async #forward(batches: Feeds, place: Place): Promise<BatchCosts[]> {
    const { cut, parts } = this.graph;
    for (const [b, feeds] of batches.entries()) await this.#embed(feeds, place(0, b));
    const adapter = this.options.objective.layout.views(this.#vectors.parameters);
    await this.sections.through(
      parts.map(({ layer }) => layer.section),
      async (base, section) => {
        const i = section - parts[0]!.layer.section;
        const parameters = joined(parts[i]!, base, adapter);
        for (const [b, feeds] of batches.entries())
          await this.programs.of[i]!.forward({ x: place(i, b), parameters, feeds }, place(i + 1, b));
      },
    );
    const rows = batches.map(() => new RowCosts(cut.tokens));
    for (const one of rows) one.reset();
    await this.sections.through(cut.head.sections, async ([table], section) => {
      for (const [b, feeds] of batches.entries())
        await this.head.costs(place(parts.length, b), table!, this.#targets(section, feeds), rows[b]!);
    });
    const { weights } = cut.head;
    return rows.map((one, b) => ({
      costs_N: one.costs(),
      weights_N: weights === undefined ? undefined : (batches[b]![weights] as Float32Array),
      rows: one,
    }));
  }

  #embed(feeds: Feeds[number], into: Float32Array): Promise<void> {
    const { embedding, width } = this.graph.cut;
    const { name } = this.graph.slices[embedding.sections[0]!]![0]!;
    return this.sections.rows(name, feeds[embedding.ids] as BigInt64Array, width, into);
  }

  /** Leaves the adapter's gradient in its vector; nothing of the base has one. */
  async #backward(costs: readonly BatchCosts[], place: Place): Promise<void> {
    const { cut, parts } = this.graph;
    const { layout } = this.options.objective;
    let [from, to] = this.#states.slice(-2) as [readonly Float32Array[], readonly Float32Array[]];
    for (const one of from) one.fill(0);
    const shares = costs.map(({ weights_N }) =>
      Float32Array.from({ length: cut.tokens }, (_, n) => (weights_N?.[n] ?? 1) / cut.tokens),
    );
    await this.sections.through([...cut.head.sections].reverse(), async ([table], section) => {
      for (const [b, feeds] of this.#feeds.entries()) {
        const row = { logSum_N: costs[b]!.rows.logSum_N, share_N: shares[b]! };
        const targets = this.#targets(section, feeds);
        await this.head.stateGradient(place(parts.length, b), table!, targets, row, from[b]!);
      }
    });
    const { parameters, gradient } = this.#vectors;
    gradient.fill(0);
    const [adapter, gradients] = [layout.views(parameters), layout.views(gradient)];
    // Before the first that learns, nobody asks for a gradient.
    const first = parts.findIndex(({ learned }) => learned.length > 0);
    const back = parts.slice(first).map(({ layer }) => layer.section);
    await this.sections.through(back.reverse(), async (base, section) => {
      const i = section - parts[0]!.layer.section;
      const own = parts[i]!.learned.map((name) => gradients[name]!);
      const all = joined(parts[i]!, base, adapter);
      for (const [b, feeds] of this.#feeds.entries()) {
        const run = { x: place(i, b), parameters: all, feeds };
        await this.programs.of[i]!.backward(run, from[b]!, { x: to[b]!, parameters: own });
      }
      [from, to] = [to, from];
    });
  }

  #targets(section: number, feeds: Feeds[number]) {
    const { cut, slices } = this.graph;
    const { from, size } = slices[section]![0]!;
    return sectionTargets(feeds[cut.head.targets] as BigInt64Array, from / cut.width, size / cut.width);
  }
}

/** A part's parameters in their order. */
function joined(
  { parameters }: AdaptedPart,
  base: readonly Float32Array[],
  adapter: Readonly<Record<string, Float32Array>>,
): Float32Array[] {
  return parameters.map((one) => ('adapter' in one ? adapter[one.adapter]! : base[one.base]!));
}
