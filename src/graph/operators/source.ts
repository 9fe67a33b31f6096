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
import { int64s, ONNX_TYPE } from './rules.js';

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
  counting: {
    name: 'counting',
    infer: (_inputs, { size, dtype }) => [{ shape: [size as number], dtype: dtype as DType }],
    lower: {
      onnx: (e, { attributes: { size, dtype } }) => {
        const numbers = Array.from({ length: size as number }, (_, i) => i);
        return [e.constant(dtype === 'int64' ? int64s(numbers) : Float32Array.from(numbers), [size as number])];
      },
      portable: (e, { attributes: { size, dtype } }) => {
        const [from, step] = [0, 1].map((value) => e.constant(int64s([value]), [])) as [string, string];
        const numbers = e.emit('Range', [from, e.constant(int64s([size as number]), []), step]);
        return dtype === 'int64' ? numbers : e.emit('Cast', numbers, { to: ONNX_TYPE.FLOAT });
      },
    },
  },
} satisfies Record<string, Operator>;

/** A value fed at each run under a name. */
export const input = (name: string, shape: Shape, dtype: DType = 'float32'): Tensor =>
  apply1(source.input, [], { name, shape, dtype });

/** Values known when the graph is traced, written into the ONNX file. */
export const constant = (data: ConstantData, shape: Shape): Tensor => apply1(source.constant, [], { data, shape });

/** A number known when the graph is traced, as a tensor of no axes. */
export const scalar = (value: number): Tensor => constant(Float32Array.of(value), []);

/** The numbers 0 … size − 1, [size]. */
export const counting = (size: number, dtype: 'float32' | 'int64' = 'float32'): Tensor =>
  apply1(source.counting, [], { size, dtype });
