import { add, constant, reduceMax, reshape, scale, sub, type Tensor } from '../graph/index.js';

/** Makes the smallest difference of two scores larger than any token's id. */
const STEEP = 1e30;

/**
 * The likeliest token's id of each row, of equal ones the first.
 *
 * @param logits_NV [N, V]
 * @returns [N] float32
 */
export function likeliest(logits_NV: Tensor): Tensor {
  const [N, V] = logits_NV.shape as [number, number];
  const below_NV = sub(logits_NV, reduceMax(logits_NV, [1], true));
  // ONNX has ArgMax, but not every device: 0 for the likeliest, far below for others, less the id.
  const ids_V = constant(
    Float32Array.from({ length: V }, (_, id) => -id),
    [V],
  );
  return reshape(scale(reduceMax(add(scale(below_NV, STEEP), ids_V), [1]), -1), [N]);
}
