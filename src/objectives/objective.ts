import type { HostArray } from '../engine/engine.js';
import type { DType, Shape, Tensor } from '../graph/index.js';
import type { TracedParameters } from '../model/architecture.js';
import type { BaseStorage } from '../model/base-storage.js';
import type { ParameterLayout } from '../model/layout.js';

/** An array that a micro-batch feeds to the graph. */
export interface Feed {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
}

/** A figure of an evaluation, and which of two is better. */
export interface Metric {
  readonly name: string;
  readonly better: 'lower' | 'higher';
}

/** What an evaluation found of some samples. */
export interface Score {
  /** Targets that the model knows. */
  readonly weight: number;
  /** Over those targets, the sum of every metric, by its name. */
  readonly sums: Readonly<Record<string, number>>;
}

/** How the metrics of single targets come out of a graph, where more than the loss is asked for. */
export interface Scoring<Sample> {
  /** What the model says of a micro-batch's targets: the outputs of a graph. */
  judge(
    parameters: TracedParameters,
    feeds: Readonly<Record<string, Tensor>>,
    batch: number,
  ): Readonly<Record<string, Tensor>>;
  /**
   * Sums it up.
   *
   * @param arrays as `fill` left them for these samples
   */
  score(
    samples: readonly Sample[],
    arrays: Readonly<Record<string, HostArray>>,
    outputs: Readonly<Record<string, HostArray>>,
  ): Score;
}

/** What steps of training follow in place of the loss, where a second model has a say in it: evaluations never hear it. */
export interface Teaching {
  /** Describes that model's vector, which stays as it is. */
  readonly layout: ParameterLayout;
  /**
   * As {@link Objective.loss}; no gradient reaches the teacher.
   *
   * @param teacher parameters of {@link layout}
   */
  loss(
    parameters: TracedParameters,
    feeds: Readonly<Record<string, Tensor>>,
    batch: number,
    teacher: TracedParameters,
  ): Tensor;
}

/**
 * What is learned: it joins a model to samples. The trainer, the evaluator, rounds and checkpoints know nothing else of
 * either, so a new kind of learning is a new one of these.
 *
 * Losses are sums over targets, each divided by {@link unit}, and come with a weight, the number of targets: so
 * micro-batches, replicas and rounds are averaged by what they hold and not one by one.
 */
export interface Objective<Sample = unknown> {
  /** As `--objective` and `run.json` name it. */
  readonly name: string;
  /** Describes the vector that is trained. */
  readonly layout: ParameterLayout;
  /** Describes the vector that is fed beside it and stays as it is; of no elements where nothing is frozen. */
  readonly frozen: ParameterLayout;
  /** How those are kept in memory, where that is not as one vector. */
  readonly storage?: BaseStorage | undefined;
  /** Of windows of a text: how many tokens the model sees of one. Missing where samples themselves are counted. */
  readonly tokensPerSample?: number;
  /** What every sample weighs, where all weigh the same, whatever they hold. */
  readonly weightPerSample?: number;
  /** Whether it gives whole texts their probability: then its loss has bits a byte, and the model writes. */
  readonly generative: boolean;
  /** Metrics of an evaluation; the first decides which of two models is better. */
  readonly metrics: readonly [Metric, ...Metric[]];
  /** The arrays of a micro-batch of so many samples. */
  feeds(batch: number): readonly Feed[];
  /**
   * Fills those arrays.
   *
   * @param samples as many as the arrays were made for
   * @returns their weight: the number of targets among them
   */
  fill(samples: readonly Sample[], arrays: Readonly<Record<string, HostArray>>): number;
  /**
   * The sum of the losses of a micro-batch's targets, divided by {@link unit}: a scalar.
   *
   * @param parameters trained and frozen ones
   */
  loss(parameters: TracedParameters, feeds: Readonly<Record<string, Tensor>>, batch: number): Tensor;
  /** What is learned of another model beside the samples; none where left out. */
  readonly teaching?: Teaching | undefined;
  /** Whether evaluations during training tell all metrics, and not the loss alone. */
  readonly scoresInTraining?: boolean;
  /** All metrics of an evaluation; where it is left out, the loss is the only one. */
  readonly scoring?: Scoring<Sample>;
  /** By what a micro-batch's sum is divided in the graph, so that it neither grows with the batch nor overflows. */
  unit(batch: number): number;
}

/** Whether a figure of the metric that decides is better than the best so far. */
export function isBetter({ better }: Metric, value: number, best: number): boolean {
  return better === 'lower' ? value < best : value > best;
}
