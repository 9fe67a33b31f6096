/*
 * Shape suffixes: B pairs; S = 2 B answers, the chosen ones first; N tokens = T positions × S answers, time-major: element
 * t · S + s; V vocabulary.
 */
import { UsageError } from '../../base/errors.js';
import type { AnswerPair } from '../../data/chat/pair.js';
import type { HostArray } from '../../engine/engine.js';
import {
  add,
  crossEntropy,
  mul,
  reduceSum,
  reshape,
  scale,
  softplus,
  split,
  stopGradient,
  sub,
  type Tensor,
} from '../../graph/index.js';
import { DROPOUT, type TracedParameters } from '../../model/architecture.js';
import type { Model } from '../../model/model.js';
import { lowWords } from '../low-words.js';
import type { Feed, Objective, Scoring } from '../objective.js';
import { OfWindows } from '../of-windows.js';

/** What direct preference optimisation is made with. */
export interface PreferenceSettings {
  /** How dear it is to leave the reference: β of equation 7. */
  readonly beta: number;
  /** The share of pairs that are held to be the wrong way round (cDPO, Mitchell 2023); 0: none. */
  readonly smoothing?: number | undefined;
}

/**
 * Which of two answers is better, learned without a model of rewards: direct preference optimisation (Rafailov et al. 2023,
 * arXiv 2305.18290, equation 7). The loss of a pair is −log σ(β δ), where δ is by how much the model prefers the chosen
 * answer more than the reference does, in log probability. The reference is what the model was: with an adapter, the same
 * step with the adapter off; else its log probabilities come with each pair, computed once before training.
 */
export class Preference extends OfWindows implements Objective<AnswerPair> {
  readonly name = 'preference';
  readonly generative = false;
  readonly scoresInTraining = true;
  readonly metrics = [
    { name: 'loss', better: 'lower' },
    // Of pairs, those whose chosen answer has the larger reward β (log π − log π_ref); the mean by how much.
    { name: 'reward_accuracy', better: 'higher' },
    { name: 'reward_margin', better: 'higher' },
  ] as const;
  readonly scoring: Scoring<AnswerPair> = {
    judge: (parameters, feeds, batch) => {
      const margins = this.#margins(parameters, feeds, batch);
      return { losses: this.#losses(margins), margins };
    },
    score: (samples, _arrays, { losses, margins }) => {
      const sums = { loss: 0, reward_accuracy: 0, reward_margin: 0 };
      for (let b = 0; b < samples.length; b++) {
        sums.loss += losses![b] as number;
        sums.reward_margin += margins![b] as number;
        if ((margins![b] as number) > 0) sums.reward_accuracy++;
      }
      return { weight: samples.length, sums };
    },
  };

  /** @param context places of an answer with its prompt */
  constructor(
    model: Model,
    context: number,
    private readonly settings: PreferenceSettings,
  ) {
    super(model, context);
    if (model.architecture.sees !== 'past')
      throw new UsageError(
        `A ${model.architecture.name} model sees the answers that it would have to give. Preferences need one that writes.`,
      );
  }

  /** Of both answers. */
  override get tokensPerSample(): number {
    return 2 * this.context;
  }

  /** A pair is one target. */
  get weightPerSample(): number {
    return 1;
  }

  /** Whether the step has the reference in it; else each pair brings its log probabilities. */
  get #hasReference(): boolean {
    return this.model.adapted.length > 0;
  }

  /**
   * `ids`, `targets` [N] int64 and `weights` [N], 1 where a token of an answer is told; without an adapter `reference` [B],
   * by how much the reference prefers the chosen answer.
   */
  feeds(batch: number): readonly Feed[] {
    const shape = [2 * batch * this.context];
    return [
      { name: 'ids', shape, dtype: 'int64' },
      { name: 'targets', shape, dtype: 'int64' },
      { name: 'weights', shape, dtype: 'float32' },
      ...(this.#hasReference ? [] : [{ name: 'reference', shape: [batch], dtype: 'float32' } as const]),
    ];
  }

  fill(samples: readonly AnswerPair[], arrays: Readonly<Record<string, HostArray>>): number {
    const [ids, targets] = [arrays.ids, arrays.targets].map((array) => lowWords(array as BigInt64Array)) as [
      Int32Array,
      Int32Array,
    ];
    const weights = arrays.weights as Float32Array;
    const S = 2 * samples.length;
    const rows = [...samples.map(({ chosen }) => chosen), ...samples.map(({ rejected }) => rejected)];
    for (const [s, row] of rows.entries()) {
      const length = row.ids.length - 1;
      if (length > this.context) throw new Error(`expected answers of ${this.context} tokens at most, got ${length}`);
      for (let t = 0; t < this.context; t++) {
        const n = t * S + s;
        const within = t < length;
        ids[2 * n] = within ? row.ids[t]! : 0;
        targets[2 * n] = within ? row.ids[t + 1]! : 0;
        weights[n] = within ? row.flags[t + 1]! : 0;
      }
    }
    if (!this.#hasReference)
      for (const [b, { reference }] of samples.entries()) {
        // What computes it has none yet.
        const [chosen, rejected] = reference ?? [0, 0];
        (arrays.reference as Float32Array)[b] = chosen - rejected;
      }
    return samples.length;
  }

  loss(parameters: TracedParameters, feeds: Readonly<Record<string, Tensor>>, batch: number): Tensor {
    return scale(reduceSum(this.#losses(this.#margins(parameters, feeds, batch)), [0]), 1 / this.unit(batch));
  }

  unit(batch: number): number {
    return batch;
  }

  /**
   * The log probability of each answer, [S].
   *
   * @param model whose: the one that learns, or the reference
   */
  logProbabilities(
    parameters: TracedParameters,
    { ids, targets, weights }: Readonly<Record<string, Tensor>>,
    batch: number,
    model = this.model,
  ): Tensor {
    const S = 2 * batch;
    // The reference is what the model was, which drops nothing.
    const given = model === this.model ? parameters : { ...parameters, [DROPOUT]: undefined };
    const x_NC = model.hidden(given, ids!, S, this.context);
    const costs_N = crossEntropy(model.logits(parameters, x_NC), targets!);
    return scale(reduceSum(reshape(mul(costs_N, weights!), [this.context, S]), [0]), -1);
  }

  /** β δ of each pair, [B]: how much larger the reward of the chosen answer is. */
  #margins(parameters: TracedParameters, feeds: Readonly<Record<string, Tensor>>, batch: number): Tensor {
    const prefers = (model: Model) => {
      const [chosen_B, rejected_B] = split(this.logProbabilities(parameters, feeds, batch, model), 0, [batch, batch]);
      return sub(chosen_B!, rejected_B!);
    };
    const reference_B = this.#hasReference ? stopGradient(prefers(this.model.withAdapter([]))) : feeds.reference!;
    return scale(sub(prefers(this.model), reference_B), this.settings.beta);
  }

  /** −log σ(m) = log(1 + e^−m), with smoothing (1 − ε) of it and ε of what the pair the other way round would cost. */
  #losses(margins_B: Tensor): Tensor {
    const { smoothing = 0 } = this.settings;
    const right = softplus(scale(margins_B, -1));
    return smoothing === 0 ? right : add(scale(right, 1 - smoothing), scale(softplus(margins_B), smoothing));
  }
}
