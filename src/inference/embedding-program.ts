/*
 * Shape suffixes: N tokens = T positions × B texts, time-major; C width of the model; E width of a vector.
 */
import {
  concat,
  constant,
  div,
  encode,
  geluErf,
  gemm,
  input,
  maximum,
  type Program,
  reduceSumSquare,
  relu,
  scalar,
  sigmoid,
  silu,
  sqrt,
  type Target,
  type Tensor,
  tanh,
} from '../graph/index.js';
import type { DenseActivation, SentenceModules } from '../hub/sentence-folder.js';
import type { HeadInputs } from '../model/architecture.js';
import type { Model } from '../model/model.js';
import { poolings } from '../model/pooling.js';

/** The size of a run: shapes are static, so each size is a program of its own. */
export interface EmbeddingSize {
  /** Tokens of each text, T; shorter ones are filled up. */
  readonly tokens: number;
  /** Texts, B. */
  readonly texts: number;
}

const activations: Readonly<Record<DenseActivation, (x: Tensor) => Tensor>> = {
  identity: (x) => x,
  tanh,
  sigmoid,
  silu,
  gelu: geluErf,
  relu,
};

/**
 * Texts' vectors. Inputs: the parameters, `ids` [N] int64, and `own` [N], 1 for a text's tokens and 0 for what fills it
 * up. Output: `vectors` [B, E].
 */
export function traceEmbedding(
  model: Model,
  modules: SentenceModules,
  { tokens: T, texts: B }: EmbeddingSize,
  target: Target,
): Program {
  const own_N = input('own', [T * B]);
  const [p, ids_N] = [model.parameterInputs(), input('ids', [T * B], 'int64')];
  // What reads a source reads a text as well (Sentence-T5, arXiv 2108.08877).
  const x_NC = model.architecture.encoder
    ? model.encode(p, { ids_N, own_N, length: T }, B)
    : model.hidden(p, ids_N, B, T, { own_N });
  return encode({ vectors: sentenceVectors(x_NC, modules, { batch: B, own_N }) }, target);
}

/** Texts' vectors, [B, E], of their tokens' hidden states. */
export function sentenceVectors(
  x_NC: Tensor,
  { poolings: modes, after }: Pick<SentenceModules, 'poolings' | 'after'>,
  inputs: HeadInputs,
): Tensor {
  let x_BE = concat(
    modes.map((mode) => poolings[mode](x_NC, inputs)),
    1,
  );
  for (const step of after) {
    if (step === 'normalize') {
      // As torch.nn.functional.normalize has it.
      x_BE = div(x_BE, maximum(sqrt(reduceSumSquare(x_BE, [1], true)), scalar(1e-12)));
    } else {
      const bias_O = step.bias && constant(step.bias, [step.outputs]);
      const weight_OI = constant(step.weight, [step.outputs, step.inputs]);
      x_BE = activations[step.activation](gemm(x_BE, weight_OI, bias_O, { transB: true }));
    }
  }
  return x_BE;
}
