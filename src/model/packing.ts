/*
 * Shape suffixes: N tokens = T positions × B sequences, time-major: element t · B + b.
 */
import { add, broadcastTo, constant, minimum, reshape, scale, shift, type Tensor, transpose } from '../graph/index.js';

/** Several texts in one sequence, one behind the other; of each token, [N]: */
export interface Packing {
  /** Its place within its own text, from 0, int64. */
  readonly positions_N: Tensor;
  /** The time step at which its own text begins, float32. */
  readonly starts_N: Tensor;
}

/** What a model may be given of its tokens beside their ids; all are left out where each sequence is one text. */
export interface TokenInputs extends Partial<Packing> {
  /** The kind of each token (`token_type_ids`), [N] int64, where a model knows kinds; of kind 0 where it is left out. */
  readonly types_N?: Tensor | undefined;
  /** 1 for a sequence's own tokens, 0 for what fills it up at its end, [N] float32; all 1 where it is left out. */
  readonly own_N?: Tensor | undefined;
}

/** Large enough that its exponential is exactly 0, small enough that no sum overflows. */
const MASKED = 1e9;

/**
 * What keeps a token from seeing the texts before its own, as a term for attention's scores: 0 for the keys from its
 * text's start on, −10⁹ and less before.
 *
 * @returns [B, 1, T, T]: of each query, its keys
 */
export function packedMask(starts_N: Tensor, batch: number, length: number): Tensor {
  const starts_B1T1 = reshape(transpose(reshape(starts_N, [length, batch]), [1, 0]), [batch, 1, length, 1]);
  const keys_T = constant(
    Float32Array.from({ length }, (_, t) => t),
    [length],
  );
  return minimum(scale(add(keys_T, scale(starts_B1T1, -1)), MASKED), constant(new Float32Array(1), [1]));
}

/**
 * What keeps a token from seeing what fills a sequence up, as a term for attention's scores.
 *
 * @param own_N of the sequence that is seen
 * @param queries of those that see it
 * @returns [B, 1, queries, T]: of each query, its keys
 */
export function filledMask(own_N: Tensor, batch: number, length: number, queries = length): Tensor {
  const keys_BT = transpose(scale(shift(reshape(own_N, [length, batch]), -1), MASKED), [1, 0]);
  return broadcastTo(reshape(keys_BT, [batch, 1, 1, length]), [batch, 1, queries, length]);
}
