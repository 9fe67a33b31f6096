/*
 * Shape suffixes: N tokens; C width.
 */
import type { Engine, HostArray, Session, SessionOptions } from '../../engine/engine.js';
import { Compiled } from '../../engine/sessions.js';
import type { Model } from '../../model/model.js';
import { Causal } from '../../objectives/causal/causal.js';
import type { Objective, Score } from '../../objectives/objective.js';
import { feedArrays } from '../../training/step-program.js';
import { BaseSections, type BaseTensors } from '../../training/streamed/adapter/base-sections.js';
import { ChunkedHead, RowCosts, sectionTargets } from '../../training/streamed/chunked-head.js';
import { type CutGraph, cutGraph, type LayerPart } from '../../training/streamed/cut-graph.js';
import { compileAlike, partFeeds, traceForward } from '../../training/streamed/part-programs.js';
import { mostWindows } from '../text-windows.js';

/** Samples that are scored in one run of each layer. */
export interface ScoreJob<Sample = never> {
  /** What stands for the objective's size, by which its programs are found again. */
  readonly key: string;
  readonly objective: Objective<Sample>;
  readonly samples: readonly Sample[];
}

/** What a {@link StreamedScorer} computes with. */
export interface StreamedScorerOptions {
  readonly model: Model;
  readonly tensors: BaseTensors;
  readonly engine: Engine;
  readonly compile?: SessionOptions | undefined;
  /** Tokens that go through a layer in one visit, about: whoever asks gathers so many. */
  readonly atOnce: number;
}

/** An objective's programs, for so many samples. */
interface Scoring {
  readonly cut: CutGraph;
  /** Of embedding, blocks and what is behind them. */
  readonly of: readonly Session[];
  readonly all: readonly Session[];
  readonly head: ChunkedHead;
  dispose(): Promise<void>;
}

/** A job under way. */
interface Work extends Scoring {
  readonly feeds: Readonly<Record<string, HostArray>>;
  state_NC: Float32Array;
  readonly costs: RowCosts;
}

/** The embedding, the blocks and what is behind them. */
export const partsOf = ({ embed, blocks, final }: CutGraph): readonly LayerPart[] => [embed, ...blocks, final];

/**
 * A model's graph in parts, whose sections are the same whatever is computed by them: those of its longest windows.
 *
 * @throws MeanfieldError for what is not made of layers one behind the other
 */
export function cutOfModel(model: Model): CutGraph {
  const { context } = model.dimensions;
  return cutGraph(new Causal(model) as unknown as Objective<never>, mostWindows(context));
}

/** The most rows of a table that a section has. */
export const rowsOf = ({ head, sections, width }: CutGraph): number => sections[head.sections[0]!]!.size / width;

/** The score of samples by a model of which a layer is in memory at a time: every layer is read once for many of them. */
export class StreamedScorer {
  /** Tokens that are best given together. */
  readonly atOnce: number;
  readonly #sections: BaseSections;
  readonly #rows: number;
  readonly #scorings = new Compiled<Scoring>();

  constructor(private readonly options: StreamedScorerOptions) {
    const cut = cutOfModel(options.model);
    this.atOnce = options.atOnce;
    this.#rows = rowsOf(cut);
    this.#sections = new BaseSections(
      options.tensors,
      cut.sections.map(({ entries }) => entries),
    );
  }

  /**
   * Every metric of each job's samples.
   *
   * @param signal stops it between two layers
   * @throws MeanfieldError when the files are no more what they were, or cannot be read
   */
  async score(jobs: readonly ScoreJob[], signal?: AbortSignal): Promise<Score[]> {
    await this.options.tensors.check();
    const works = await Promise.all(jobs.map((job) => this.#begin(job)));
    if (works.length === 0) return [];
    const parts = partsOf(works[0]!.cut);
    const { head, sections } = works[0]!.cut;
    // One of each size: a layer's output goes into it, and what was its input is then free.
    const spare = new Map<number, Float32Array>();
    await this.#sections.through(
      parts.map(({ section }) => section),
      async (parameters, section) => {
        signal?.throwIfAborted();
        const i = section - parts[0]!.section;
        for (const work of works) {
          const x = work.state_NC;
          const y = spare.get(x.length) ?? new Float32Array(x.length);
          const session = work.of[i]!;
          await session.run(partFeeds(session, { x, parameters, feeds: work.feeds }), { y });
          work.state_NC = y;
          spare.set(x.length, x);
        }
      },
    );
    await this.#sections.through(head.sections, async ([table], section) => {
      signal?.throwIfAborted();
      const { from, size } = sections[section]!.entries[0]!;
      for (const { cut, head, state_NC, feeds, costs } of works) {
        const first = from / cut.width;
        const targets = sectionTargets(feeds[cut.head.targets] as BigInt64Array, first, size / cut.width);
        await head.judge(state_NC, table!, targets, first, costs);
      }
    });
    return jobs.map(({ objective, samples }, i) => {
      const { costs, feeds, cut } = works[i]!;
      const losses = costs.costs();
      const weights = cut.head.weights === undefined ? undefined : (feeds[cut.head.weights] as Float32Array);
      const loss = losses.reduce((sum, cost, n) => sum + cost * (weights?.[n] ?? 1), 0);
      const outputs = { losses, predictions: costs.predicted_N, loss: Float64Array.of(loss) };
      return objective.scoring!.score(samples, feeds, outputs);
    });
  }

  async dispose(): Promise<void> {
    await this.#scorings.dispose();
  }

  async #begin({ key, objective, samples }: ScoreJob): Promise<Work> {
    const scoring = await this.#scorings.of(`${key} ${samples.length}`, () => this.#compile(objective, samples.length));
    const { embedding, sections, tokens, width } = scoring.cut;
    const feeds = feedArrays(objective, samples.length);
    objective.fill(samples, feeds);
    const state_NC = new Float32Array(tokens * width);
    const { name } = sections[embedding.sections[0]!]!.entries[0]!;
    await this.#sections.rows(name, feeds[embedding.ids] as BigInt64Array, width, state_NC);
    const costs = new RowCosts(tokens);
    costs.reset();
    return { ...scoring, feeds, state_NC, costs };
  }

  async #compile(objective: Objective<never>, batch: number): Promise<Scoring> {
    const { engine, compile } = this.options;
    const cut = cutGraph(objective, batch, this.#rows);
    const { tokens, width } = cut;
    // An arena keeps what the largest layer needed; threads that spin would take the cores of the session that is at work.
    const settings = { spinning: false, arena: false, oneBlock: true, ...compile };
    const programs = partsOf(cut).map((part) => traceForward(part, engine));
    const { of, all } = await compileAlike(engine, programs, settings);
    const head = new ChunkedHead(engine, { tokens, width, softcap: cut.head.softcap }, settings);
    const dispose = async () => {
      for (const session of all) await session.dispose();
      await head.dispose();
    };
    return { cut, of, all, head, dispose };
  }
}
