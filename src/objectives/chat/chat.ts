/*
 * Shape suffixes: N tokens = T positions × B windows, time-major: element t · B + b.
 */
import { UsageError } from '../../base/errors.js';
import type { PackedRows } from '../../data/chat/pack.js';
import type { HostArray } from '../../engine/engine.js';
import type { Tensor } from '../../graph/index.js';
import type { TracedParameters } from '../../model/architecture.js';
import type { Model } from '../../model/model.js';
import { lowWords } from '../low-words.js';
import { NextTokens, type Teacher } from '../next-tokens.js';
import type { Feed, Objective, Scoring } from '../objective.js';
import { judgeTargets, LOSS_AND_ACCURACY, scoreTargets } from '../score-targets.js';

/**
 * The answers in rows such as conversations, token by token from all that comes before in its row: the mean
 * cross-entropy in nats over the tokens that are learned, those of the assistant and what ends its turns. A sample is a
 * window of one row or more (packing); each row's positions begin at 0, and none sees another, so that packed rows give
 * the loss and the gradient of each by itself. What is learned is told by flags and lengths, never by a token's id.
 */
export class Chat extends NextTokens implements Objective<PackedRows> {
  readonly name = 'chat';
  readonly generative = false;
  readonly metrics = LOSS_AND_ACCURACY;
  readonly scoring: Scoring<PackedRows> = {
    judge: (parameters, feeds, batch) =>
      judgeTargets(this.model, parameters, this.hidden(this.model, parameters, feeds, batch), feeds),
    score: (_samples, arrays, outputs) => scoreTargets(arrays, outputs),
  };

  /**
   * @param context places of a window
   * @param teacher whose probabilities are learned beside the answers
   */
  constructor(model: Model, context: number, teacher?: Teacher) {
    super(model, context, teacher);
    if (model.architecture.sees !== 'past')
      throw new UsageError(
        `A ${model.architecture.name} model sees the answers that it would have to give. Use gpt2 or llama for chat.`,
      );
  }

  /** `ids`, `targets`, `positions` [N] int64; `starts`, where a token's row begins in its window, and `weights` [N]. */
  feeds(batch: number): readonly Feed[] {
    const shape = [batch * this.context];
    return [
      { name: 'ids', shape, dtype: 'int64' },
      { name: 'targets', shape, dtype: 'int64' },
      { name: 'positions', shape, dtype: 'int64' },
      { name: 'starts', shape, dtype: 'float32' },
      { name: 'weights', shape, dtype: 'float32' },
    ];
  }

  fill(samples: readonly PackedRows[], arrays: Readonly<Record<string, HostArray>>): number {
    const [ids, targets, positions] = ['ids', 'targets', 'positions'].map((name) =>
      lowWords(arrays[name] as BigInt64Array),
    ) as [Int32Array, Int32Array, Int32Array];
    const [starts, weights] = [arrays.starts as Float32Array, arrays.weights as Float32Array];
    const B = samples.length;
    let weight = 0;
    for (const [b, rows] of samples.entries()) {
      let start = 0;
      const put = (t: number, id: number, target: number, learned: number) => {
        const n = t * B + b;
        ids[2 * n] = id;
        targets[2 * n] = target;
        positions[2 * n] = t - start;
        starts[n] = start;
        weights[n] = learned;
        weight += learned;
      };
      for (const row of rows) {
        const length = Math.min(row.ids.length - 1, this.context);
        if (start + length > this.context)
          throw new Error(`expected rows of ${this.context} tokens together, got ${start + length} and more`);
        for (let i = 0; i < length; i++) put(start + i, row.ids[i]!, row.ids[i + 1]!, row.flags[i + 1]!);
        start += length;
      }
      // What is left is a row of its own, of which nothing is learned.
      for (let t = start; t < this.context; t++) put(t, 0, 0, 0);
    }
    return weight;
  }

  protected hidden(
    model: Model,
    parameters: TracedParameters,
    { ids, positions, starts }: Readonly<Record<string, Tensor>>,
    batch: number,
  ): Tensor {
    return model.hidden(parameters, ids!, batch, this.context, { positions_N: positions!, starts_N: starts! });
  }
}
