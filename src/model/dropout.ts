import { mul, type Tensor } from '../graph/index.js';
import { DROPOUT, type TracedParameters } from './architecture.js';

/** Activations of which training drops some; architectures say where, as their published classes do. */
export function dropout(p: TracedParameters, x: Tensor): Tensor {
  const factors = p[DROPOUT]?.(x.shape);
  return factors ? mul(x, factors) : x;
}
