import { UsageError } from '../base/errors.js';
import { attention, constant, gemm, input, linearCrossEntropy, repeatHeads, type Tensor } from '../graph/index.js';
import type { Attend, Dimensions, ModelFamily, TracedParameters } from './family.js';
import { gpt2 } from './gpt2.js';
import { ParameterLayout } from './layout.js';
import { llama } from './llama.js';

/**
 * The families that can be trained, as `model_type` names them.
 *
 * @category Training
 */
export type FamilyName = 'gpt2' | 'llama';

/** The families by name. */
export const families: Readonly<Record<FamilyName, ModelFamily>> = {
  gpt2: gpt2 as ModelFamily,
  llama: llama as ModelFamily,
};

/** A causal language model: its family, its validated `config.json`, and where its parameters lie. */
export class Model {
  readonly family: ModelFamily;
  readonly config: unknown;
  readonly layout: ParameterLayout;
  readonly dimensions: Dimensions;

  private constructor(family: ModelFamily, config: unknown) {
    this.family = family;
    this.config = config;
    this.layout = new ParameterLayout(family.parameters(config));
    this.dimensions = family.dimensions(config);
  }

  /**
   * A model from the content of a Hugging Face `config.json`.
   *
   * @throws UsageError for an unknown `model_type` or a configuration that its family cannot be
   */
  static fromConfig(config: unknown): Model {
    const type = (config as { model_type?: unknown } | null)?.model_type;
    const family = findFamily(String(type));
    return new Model(family, family.parse(config));
  }

  /** A new model of a family with the given sizes. */
  static create(family: string, dimensions: Dimensions): Model {
    const found = findFamily(family);
    return new Model(found, found.configure(dimensions));
  }

  /** One graph input a parameter, by Hugging Face's names. */
  parameterInputs(): TracedParameters {
    return Object.fromEntries(this.layout.entries.map(({ name, shape }) => [name, input(name, shape)]));
  }

  /**
   * The last hidden state of `batch` sequences of `length` tokens, each attending to its own past.
   *
   * @param ids_N int64, time-major: element t · B + b
   * @returns [N, C]
   */
  hidden(parameters: TracedParameters, ids_N: Tensor, batch: number, length: number): Tensor {
    const { heads, keyValueHeads } = this.dimensions;
    const groups = heads / keyValueHeads;
    const attend: Attend = (_layer, q, k, v) => attention(q, repeatHeads(k, groups), repeatHeads(v, groups));
    const positions_T = constant(
      BigInt64Array.from({ length }, (_, t) => BigInt(t)),
      [length],
    );
    return this.family.forward(this.config, parameters, { ids_N, batch, positions_T, attend });
  }

  /** The mean cross-entropy in nats per token: a scalar. Sizes as for {@link hidden}; targets like ids. */
  loss(parameters: TracedParameters, ids_N: Tensor, targets_N: Tensor, batch: number, length: number): Tensor {
    const x_NC = this.hidden(parameters, ids_N, batch, length);
    return linearCrossEntropy(x_NC, parameters[this.family.head(this.config)]!, targets_N);
  }

  /** Scores of every token of the vocabulary, [N, V], from a hidden state [N, C]. */
  logits(parameters: TracedParameters, x_NC: Tensor): Tensor {
    return gemm(x_NC, parameters[this.family.head(this.config)]!, undefined, { transB: true });
  }
}

function findFamily(name: string): ModelFamily {
  const family = Object.hasOwn(families, name) ? families[name as FamilyName] : undefined;
  if (!family) throw new UsageError(`Unknown model ${name}. Allowed: ${Object.keys(families).join(', ')}.`);
  return family;
}
