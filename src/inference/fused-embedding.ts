/*
 * Shape suffixes: N tokens = B texts × T positions, text after text; C width of the model; E width of a vector.
 */
import {
  type AnySizeProgram,
  encodeAnySize,
  fusedGelu,
  input,
  replaceNodes,
  reshape,
  type Target,
  type Tensor,
  transpose,
} from '../graph/index.js';
import type { SentenceModules } from '../hub/sentence-folder.js';
import type { Model } from '../model/model.js';
import { sentenceVectors } from './embedding-program.js';
import { codedProducts, type EncoderCodes } from './encoder-codes.js';
import { FUSED_SIZES, fusedHiddenStates } from './fused-encoder.js';

/**
 * Texts' vectors, for any number of texts of any length, on the CPU. Inputs: the parameters; `ids` [B, T] and `positions`
 * [N] int64; `lengths` [B] int32, the tokens of each text; where a pooling asks, `own` [T, B], 1 for a text's tokens and 0
 * for what fills it up. Output: `vectors` [B, E].
 *
 * @param codes weights in 8 bits, of which there are constants in the place of inputs
 */
export function traceFusedEmbedding(
  model: Model,
  modules: SentenceModules,
  target: Target,
  codes?: EncoderCodes,
): AnySizeProgram {
  return encodeAnySize(
    FUSED_SIZES,
    (sizes) => {
      const { texts: B, tokens: T } = sizes;
      const plain_NC = fusedHiddenStates(model, sizes);
      const x_NC = codes ? withBiases(replaceNodes([plain_NC], codedProducts(codes))) : plain_NC;
      const x_BTC = reshape(x_NC, [B, T, x_NC.shape[1]!]);
      const timeMajor_NC = reshape(transpose(x_BTC, [1, 0, 2]), x_NC.shape);
      const own_N = reshape(input('own', [T, B]), [T * B]);
      return { vectors: sentenceVectors(timeMajor_NC, modules, { batch: B, own_N }) };
    },
    target,
    codes?.constants,
  );
}

/** The same graph with each bias that a GELU stands behind in one node with that. */
function withBiases(outputs: readonly Tensor[]): Tensor {
  return replaceNodes(outputs, ({ operator }, [x]) => {
    const [sum, bias] = x?.node.inputs ?? [];
    const biased = operator.name === 'fusedGelu' && x!.node.operator.name === 'add' && bias!.shape.length === 1;
    return biased ? [fusedGelu(sum!, bias)] : undefined;
  })[0]!;
}
