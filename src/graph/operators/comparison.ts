import { apply1, type Operator, type Tensor } from '../tensor.js';
import { broadcastShapes, float32, onnx } from './rules.js';

/** These serve what comes after the gradients, so they have none themselves. */
export const comparison = {
  abs: {
    name: 'abs',
    infer: ([x]) => [{ shape: float32('abs', x!).shape, dtype: 'float32' }],
    lower: onnx('Abs'),
  },
  minimum: {
    name: 'minimum',
    infer: ([a, b]) => [{ shape: broadcastShapes('minimum', a!, b!), dtype: 'float32' }],
    lower: onnx('Min'),
  },
  maximum: {
    name: 'maximum',
    infer: ([a, b]) => [{ shape: broadcastShapes('maximum', a!, b!), dtype: 'float32' }],
    lower: onnx('Max'),
  },
} satisfies Record<string, Operator>;

/** |x|. */
export const abs = (x: Tensor): Tensor => apply1(comparison.abs, [x]);
/** The lesser of a and b, broadcast. */
export const minimum = (a: Tensor, b: Tensor): Tensor => apply1(comparison.minimum, [a, b]);
/** The greater of a and b, broadcast. */
export const maximum = (a: Tensor, b: Tensor): Tensor => apply1(comparison.maximum, [a, b]);
