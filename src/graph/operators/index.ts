import type { Operator } from '../tensor.js';
import { activation } from './activation.js';
import { attentionOperators } from './attention.js';
import { comparison } from './comparison.js';
import { distillation } from './distillation.js';
import { dropout } from './dropout.js';
import { elementwise } from './elementwise.js';
import { int8 } from './int8.js';
import { int8Head } from './int8-head.js';
import { linearOperators } from './linear.js';
import { lookup } from './lookup.js';
import { loss } from './loss.js';
import { moments } from './moments.js';
import { normalization } from './normalization.js';
import { product } from './product.js';
import { quantization } from './quantization.js';
import { reduction } from './reduction.js';
import { shaping } from './shaping.js';
import { source } from './source.js';

/**
 * Every operator that models are made of: its shape rule, its gradient and its lowerings by target. Those of `decoding.ts` are
 * fused nodes of the CPU that take their place in steps of generation.
 */
export const operators: Record<string, Operator> = {
  ...source,
  ...elementwise,
  ...shaping,
  ...reduction,
  ...product,
  ...lookup,
  ...activation,
  ...normalization,
  ...attentionOperators,
  ...loss,
  ...distillation,
  ...comparison,
  ...quantization,
  ...moments,
  ...dropout,
  ...int8,
  ...linearOperators,
  ...int8Head,
};

export { gelu, geluErf, relu, silu, softcap, softplus } from './activation.js';
export {
  type AttentionOptions,
  type AttentionSpan,
  attention,
  attentionMask,
  repeatHeads,
  rotary,
} from './attention.js';
export { abs, maximum, minimum } from './comparison.js';
export {
  addNorm,
  attendCached,
  attendTexts,
  type BlockWeights,
  blockProduct,
  blockRows,
  type CachedAttention,
  type CachedSequences,
  cachedWidth,
  fastGelu,
  fusedGelu,
} from './decoding.js';
export { type LinearDistillationOptions, linearDistillation } from './distillation.js';
export { dropoutFactors } from './dropout.js';
export { add, addAll, div, erf, exp, log, mul, scale, shift, sigmoid, sqrt, sub, tanh } from './elementwise.js';
export { productOfCodes, productOfRows, quantizeRows } from './int8.js';
export { linearCrossEntropyInt8, type NoiseSource } from './int8-head.js';
export { hasInt8, linear } from './linear.js';
export { gather, pick, place, scatterAdd } from './lookup.js';
export { CHUNK_ELEMENTS, chunkSizes, crossEntropy, lessOne, linearCrossEntropy, linearScores } from './loss.js';
export { MOMENT_BLOCK, narrowBfloat16, narrowBlocks, widenBlocks } from './moments.js';
export { layerNorm, rmsNorm } from './normalization.js';
export { gemm, matmul } from './product.js';
export { dequantize, dequantizeBlocks, quantize, roundBfloat16, widenBfloat16 } from './quantization.js';
export { reduceMax, reduceMean, reduceSum, reduceSumSquare, softmax } from './reduction.js';
export { ONNX_TYPE } from './rules.js';
export { broadcastTo, concat, reshape, split, stopGradient, tail, transpose } from './shaping.js';
export { constant, counting, input, scalar } from './source.js';
