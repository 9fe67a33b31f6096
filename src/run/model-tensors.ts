import type { NamedTensor } from '../base/safetensors-writer.js';
import type { ParameterLayout } from '../model/layout.js';

/** A model's vector as the tensors of a Hugging Face model; nothing is copied. */
export function modelTensors(layout: ParameterLayout, vector: Float32Array): NamedTensor[] {
  return layout.entries.map(({ name, shape, offset, size }) => ({
    name,
    shape,
    data: vector.subarray(offset, offset + size),
  }));
}
