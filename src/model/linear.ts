/*
 * Shape suffixes: N rows; I values of a row that come in; O that go out.
 */
import { gemm, linear as linearInt8, type Tensor } from '../graph/index.js';
import { INT8, LINEAR, type TracedParameters, type WeightRows } from './architecture.js';

/**
 * A linear layer, x · Wᵀ + b. Every architecture computes its layers by this one.
 *
 * @param name of the layer: its parameters are `name.weight`, [O, I] or, with a row for each input, [I, O], and, where
 * the model has one, `name.bias` [O]
 * @param x_NI [N, I]
 * @returns [N, O]
 */
export function linear(p: TracedParameters, name: string, x_NI: Tensor, rows: WeightRows = 'outputs'): Tensor {
  const options = rows === 'outputs' ? { transB: true } : {};
  const product = p[INT8] ? linearInt8 : gemm;
  const y_NO = product(x_NI, p[`${name}.weight`]!, p[`${name}.bias`], options);
  return p[LINEAR]?.(name, x_NI, y_NO, rows) ?? y_NO;
}
