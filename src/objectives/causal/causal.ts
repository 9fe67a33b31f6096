/*
 * Shape suffixes: N tokens = T positions × B sequences, time-major.
 */
import { UsageError } from '../../base/errors.js';
import type { TokenWindow } from '../../data/sampling/token-windows.js';
import type { HostArray } from '../../engine/engine.js';
import { linearCrossEntropy, type Tensor } from '../../graph/index.js';
import type { TracedParameters } from '../../model/architecture.js';
import type { ParameterLayout } from '../../model/layout.js';
import type { Model } from '../../model/model.js';
import type { Feed, Objective } from '../objective.js';
import { fillTokens } from './tokens.js';

/**
 * The next token of a text, from those before it (Bengio et al., 2003): the mean cross-entropy in nats per token over
 * every position of a window. A sample is a window of `context` + 1 tokens.
 */
export class Causal implements Objective<TokenWindow> {
  readonly name = 'causal';
  readonly generative = true;
  readonly metrics = [{ name: 'loss', better: 'lower' }] as const;

  /** @param context tokens that the model sees of a window */
  constructor(
    private readonly model: Model,
    private readonly context: number = model.dimensions.context,
  ) {
    if (model.architecture.sees !== 'past')
      throw new UsageError(
        `A ${model.architecture.name} model sees the tokens that it would have to tell. ` +
          'Use --objective masked with it, or another --model.',
      );
  }

  get layout(): ParameterLayout {
    return this.model.trained;
  }

  get frozen(): ParameterLayout {
    return this.model.frozen;
  }

  get tokensPerSample(): number {
    return this.context;
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
    );
    return this.unit(samples.length);
  }

  loss(parameters: TracedParameters, { ids, targets }: Readonly<Record<string, Tensor>>, batch: number): Tensor {
    const x_NC = this.model.hidden(parameters, ids!, batch, this.context);
    return linearCrossEntropy(x_NC, this.model.head(parameters), targets!);
  }

  /** Every position has a target, so the graph's mean is the sum over so many. */
  unit(batch: number): number {
    return batch * this.context;
  }
}
