import {
  apply1,
  type ConstantData,
  type DType,
  formatShape,
  type Operator,
  type Shape,
  sizeOf,
  type Tensor,
} from '../tensor.js';

export const source = {
  input: {
    name: 'input',
    infer: (_inputs, { shape, dtype }) => [{ shape: shape as Shape, dtype: dtype as DType }],
    lower: { onnx: (e, node) => [e.input(node.attributes.name as string, node.outputs[0]!)] },
  },
  constant: {
    name: 'constant',
    infer: (_inputs, { shape, data }) => {
      if ((data as ConstantData).length !== sizeOf(shape as Shape)) {
        throw new Error(`constant: ${(data as ConstantData).length} values do not fill ${formatShape(shape as Shape)}`);
      }
      return [{ shape: shape as Shape, dtype: data instanceof Float32Array ? 'float32' : 'int64' }];
    },
    lower: { onnx: (e, node) => [e.constant(node.attributes.data as ConstantData, node.attributes.shape as Shape)] },
  },
} satisfies Record<string, Operator>;

/** A value fed at each run under a name. */
export const input = (name: string, shape: Shape, dtype: DType = 'float32'): Tensor =>
  apply1(source.input, [], { name, shape, dtype });

/** Values known when the graph is traced, written into the ONNX file. */
export const constant = (data: ConstantData, shape: Shape): Tensor => apply1(source.constant, [], { data, shape });

/** A number known when the graph is traced, as a tensor of no axes. */
export const scalar = (value: number): Tensor => constant(Float32Array.of(value), []);
