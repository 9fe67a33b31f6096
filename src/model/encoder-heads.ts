/*
 * Shape suffixes: N tokens = T positions × B sequences, time-major; M any rows of those; C width; B texts.
 */
import { z } from 'zod';
import { gemm, type Tensor } from '../graph/index.js';
import type { HeadInputs, HeadTask, TaskHead, TracedParameters } from './architecture.js';
import { positive } from './config.js';
import type { ParameterSpec } from './layout.js';
import { linear } from './linear.js';
import { poolings } from './pooling.js';
import { specs } from './specs.js';

/** Keys of `config.json` that say how many labels a head has. */
export const labelKeys = { id2label: z.record(z.string(), z.unknown()).nullish(), num_labels: positive.nullish() };

interface Labelled {
  readonly id2label?: Readonly<Record<string, unknown>> | null | undefined;
  readonly num_labels?: number | null | undefined;
}

/** How many labels a head has: two, unless the configuration says otherwise. */
const labels = (c: Labelled): number => (c.id2label ? Object.keys(c.id2label).length : (c.num_labels ?? 2));

/** A layer's activation and norm, by which a family prepares hidden states for its scores. */
export interface Transform<Config> {
  parameters(config: Config): ParameterSpec[];
  trace(config: Config, p: TracedParameters, x_MC: Tensor): Tensor;
}

/** Sizes of a family that its heads need. */
interface Sizes<Config> {
  readonly width: (config: Config) => number;
  readonly std: (config: Config) => number;
  /** How many deviations from 0 samples may be at the start; however far where left out. */
  readonly cutoff?: (config: Config) => number;
}

/** The makers of a family's heads. */
export function encoderHeads<Config extends Labelled>({ width, std, cutoff }: Sizes<Config>) {
  const output = (c: Config, name: string, outputs: number) =>
    specs(std(c), cutoff?.(c)).dense(name, outputs, width(c));

  /** A score of every label for each token, or with two of them where an answer begins and ends. */
  const each = (task: HeadTask, name: string, transform?: Transform<Config>): TaskHead<Config> => ({
    task,
    parameters: (c) => [...(transform?.parameters(c) ?? []), ...output(c, name, labels(c))],
    scores: (c, p, x_MC) => linear(p, name, transform?.trace(c, p, x_MC) ?? x_MC),
  });

  return {
    /** Scores of the vocabulary by the rows of its embedding, with a bias of their own. */
    masked: (
      { transform, bias }: { transform: Transform<Config>; bias: (config: Config) => string | undefined },
      sizes: { rows: string; vocabulary: (config: Config) => number },
    ): TaskHead<Config> => ({
      task: 'masked',
      parameters: (c) => {
        const name = bias(c);
        const biases = name === undefined ? [] : [specs(std(c)).bias(name, sizes.vocabulary(c))];
        return [...biases, ...transform.parameters(c)];
      },
      scores: (c, p, x_MC) => {
        const name = bias(c);
        const rows_VC = p[sizes.rows]!;
        const bias_V = name === undefined ? undefined : p[`${name}.bias`]!;
        return gemm(transform.trace(c, p, x_MC), rows_VC, bias_V, { transB: true });
      },
    }),
    tokens: (name: string, transform?: Transform<Config>) => each('tokens', name, transform),
    span: (name: string, transform?: Transform<Config>) => each('span', name, transform),
    /** Labels of a whole text, by its first token's hidden state unless a family pools otherwise. */
    sequence: (
      name: string,
      transform: Transform<Config>,
      pool: (config: Config, x_NC: Tensor, inputs: HeadInputs) => Tensor = (_c, x, inputs) => poolings.cls(x, inputs),
    ): TaskHead<Config> => ({
      task: 'sequence',
      parameters: (c) => [...transform.parameters(c), ...output(c, name, labels(c))],
      scores: (c, p, x_NC, inputs) => linear(p, name, transform.trace(c, p, pool(c, x_NC, inputs))),
    }),
    /** A square layer and an activation. */
    layer: (name: string, activation: (x: Tensor) => Tensor): Transform<Config> => ({
      parameters: (c) => output(c, name, width(c)),
      trace: (_c, p, x_MC) => activation(linear(p, name, x_MC)),
    }),
  };
}
