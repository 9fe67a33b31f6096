/*
 * Shape suffixes: N tokens = T positions × B sequences, time-major; M rows that may hold a token to be told.
 */

import { UsageError } from '../../base/errors.js';
import { Random } from '../../base/random.js';
import { spelledError } from '../../base/spelling.js';
import type { TokenWindow } from '../../data/sampling/token-windows.js';
import type { HostArray } from '../../engine/engine.js';
import { scale, type Tensor } from '../../graph/index.js';
import type { TracedParameters } from '../../model/architecture.js';
import type { Model } from '../../model/model.js';
import { lowWords } from '../low-words.js';
import type { Feed, Objective, Scoring } from '../objective.js';
import { OfWindows } from '../of-windows.js';
import { LOSS_AND_ACCURACY, scoreTargets } from '../score-targets.js';
import { maskWindow, mostChosen } from './mask-window.js';
import { maskedLoss } from './masked-loss.js';

/** What a {@link Masked} is made for. */
export interface MaskedOptions {
  /** Tokens that the model sees of a window. */
  readonly context: number;
  /** Of the run: which tokens are masked follows from it and the window's number. */
  readonly seed: number;
  /** The share of tokens that are to be told; 0.15 in BERT. */
  readonly rate: number;
  /** The id of the mask token; ids below it are those of the text. */
  readonly mask: number;
  /** The id that is read where a window has no token of the vocabulary, which is never to be told. */
  readonly standIn?: number;
}

/**
 * Masked tokens, from all around them (BERT, arXiv 1810.04805 §3.1): of the tokens chosen, 80 % are masked, 10 % become
 * another, 10 % stay. The loss is the mean cross-entropy over those alone, in nats per token. A sample is a window of a
 * text, of which the last token is left out; the same window of another epoch is masked elsewhere.
 */
export class Masked extends OfWindows implements Objective<TokenWindow> {
  readonly name = 'masked';
  readonly generative = false;
  readonly metrics = LOSS_AND_ACCURACY;
  readonly scoring: Scoring<TokenWindow> = {
    judge: (parameters, feeds, batch) => this.#told(parameters, feeds, batch),
    score: (_samples, arrays, outputs) => scoreTargets(arrays, outputs),
  };
  /** Tokens of a window that are chosen at most. */
  readonly #most: number;

  constructor(
    model: Model,
    private readonly options: MaskedOptions,
  ) {
    super(model, options.context);
    if (model.architecture.sees !== 'all')
      throw spelledError(
        UsageError,
        ({ option }) =>
          `A ${model.architecture.name} model sees the past alone, so it cannot tell a token from all around it. ` +
          `Use ${option('model', 'bert')} with ${option('objective', 'masked')}, or ${option('objective', 'causal')}.`,
      );
    this.#most = mostChosen(options.rate, options.context);
  }

  /** `ids` [N] int64, time-major; of the chosen `rows` [M] of them, `targets` [M] int64 and `weights` [M], 0 for none. */
  feeds(batch: number): readonly Feed[] {
    const shape = [batch * this.#most];
    return [
      { name: 'ids', shape: [batch * this.context], dtype: 'int64' },
      { name: 'rows', shape, dtype: 'int64' },
      { name: 'targets', shape, dtype: 'int64' },
      { name: 'weights', shape, dtype: 'float32' },
    ];
  }

  fill(samples: readonly TokenWindow[], arrays: Readonly<Record<string, HostArray>>): number {
    const { context, seed, rate, mask, standIn = 0 } = this.options;
    const [ids, rows, targets] = ['ids', 'rows', 'targets'].map((name) => lowWords(arrays[name] as BigInt64Array));
    const weights = arrays.weights as Float32Array;
    const batch = samples.length;
    const most = this.#most;
    rows!.fill(0);
    targets!.fill(0);
    weights.fill(0);
    let weight = 0;
    for (const [b, { ids: window, number }] of samples.entries()) {
      const random = new Random(seed, 'mask', ...number);
      const masked = maskWindow(window.subarray(0, context), random, {
        rate,
        maskId: mask,
        vocabulary: mask + 1,
        most,
      });
      for (const [t, id] of masked.ids.entries()) ids![2 * (t * batch + b)] = id < 0 ? standIn : id;
      for (const [i, position] of masked.positions.entries()) {
        if (masked.targets[i]! < 0) continue;
        const at = b * most + i;
        rows![2 * at] = position * batch + b;
        targets![2 * at] = masked.targets[i]!;
        weights[at] = 1;
        weight++;
      }
    }
    return weight;
  }

  loss(parameters: TracedParameters, feeds: Readonly<Record<string, Tensor>>, batch: number): Tensor {
    return scale(this.#told(parameters, feeds, batch).loss, 1 / this.unit(batch));
  }

  #told(parameters: TracedParameters, feeds: Readonly<Record<string, Tensor>>, batch: number) {
    const x_NC = this.model.hidden(parameters, feeds.ids!, batch, this.context);
    return maskedLoss(this.model, parameters, x_NC, {
      positions_M: feeds.rows!,
      targets_M: feeds.targets!,
      weights_M: feeds.weights!,
    });
  }

  /** So many tokens are chosen on average, rounded; how many there really are is the weight. */
  unit(batch: number): number {
    return Math.max(1, Math.round(this.options.rate * batch * this.context));
  }
}
