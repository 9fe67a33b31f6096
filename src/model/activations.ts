import { gelu, geluErf, relu, silu, type Tensor } from '../graph/index.js';

/** Activations by the names that configurations have for them (`ACT2FN` of Python transformers). */
export const activations = {
  gelu: geluErf,
  gelu_python: geluErf,
  gelu_new: gelu,
  gelu_pytorch_tanh: gelu,
  relu,
  silu,
  swish: silu,
} as const satisfies Readonly<Record<string, (x: Tensor) => Tensor>>;

/** An activation's published name. */
export type ActivationName = keyof typeof activations;
