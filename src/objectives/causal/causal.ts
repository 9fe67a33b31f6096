/*
 * Shape suffixes: N tokens = T positions × B sequences, time-major.
 */
import { UsageError } from '../../base/errors.js';
import { spelledError } from '../../base/spelling.js';
import type { TokenWindow } from '../../data/sampling/token-windows.js';
import type { HostArray } from '../../engine/engine.js';
import type { Tensor } from '../../graph/index.js';
import type { TracedParameters } from '../../model/architecture.js';
import type { Model } from '../../model/model.js';
import { NextTokens, type Teacher } from '../next-tokens.js';
import type { Feed, Objective, Scoring } from '../objective.js';
import { LOSS_AND_ACCURACY } from '../score-targets.js';
import { tokenLosses } from './token-losses.js';
import { fillTokens } from './tokens.js';

/**
 * The next token of a text, from those before it (Bengio et al., 2003): the mean cross-entropy in nats per token over
 * every position of a window. A sample is a window of `context` + 1 tokens; one that is only scored may be shorter, and hold
 * −1 for what is no token of the vocabulary.
 */
export class Causal extends NextTokens implements Objective<TokenWindow> {
  readonly name = 'causal';
  readonly generative = true;
  readonly metrics = LOSS_AND_ACCURACY;
  readonly scoring: Scoring<TokenWindow> = {
    judge: (parameters, { ids, targets }, batch) =>
      tokenLosses(this.model, parameters, this.hidden(this.model, parameters, { ids: ids! }, batch), targets!),
    score: (samples, _arrays, { losses, predictions }) => {
      let [weight, loss, accuracy] = [0, 0, 0];
      for (const [b, { ids, known = 0 }] of samples.entries())
        for (let t = known; t + 1 < ids.length; t++) {
          if (ids[t + 1]! < 0) continue;
          const at = t * samples.length + b;
          weight++;
          loss += losses![at] as number;
          if (predictions![at] === ids[t + 1]) accuracy++;
        }
      return { weight, sums: { loss, accuracy } };
    },
  };

  /**
   * @param context tokens that the model sees of a window
   * @param standIn the id that is read where a window has no token of the vocabulary
   * @param teacher whose probabilities are learned beside the tokens
   */
  constructor(
    model: Model,
    context: number = model.dimensions.context,
    private readonly standIn = 0,
    teacher?: Teacher,
  ) {
    super(model, context, teacher);
    if (model.architecture.sees !== 'past')
      throw spelledError(
        UsageError,
        ({ option }) =>
          `A ${model.architecture.name} model sees the tokens that it would have to tell. ` +
          `Use ${option('objective', model.architecture.encoder ? 'seq2seq' : 'masked')} with it, or another ${option('model')}.`,
      );
  }

  /** `ids` and `targets`, [N] int64, time-major: element t · B + b. */
  feeds(batch: number): readonly Feed[] {
    const shape = [batch * this.context];
    return [
      { name: 'ids', shape, dtype: 'int64' },
      { name: 'targets', shape, dtype: 'int64' },
    ];
  }

  fill(samples: readonly TokenWindow[], { ids, targets }: Readonly<Record<string, HostArray>>): number {
    fillTokens(
      samples.map((sample) => sample.ids),
      this.context,
      ids as BigInt64Array,
      targets as BigInt64Array,
      this.standIn,
    );
    return this.unit(samples.length);
  }

  /** Every token after the first is told. */
  get weightPerSample(): number {
    return this.context;
  }

  protected hidden(
    model: Model,
    parameters: TracedParameters,
    { ids }: Readonly<Record<string, Tensor>>,
    batch: number,
  ): Tensor {
    return model.hidden(parameters, ids!, batch, this.context);
  }
}
