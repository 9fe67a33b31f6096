import { apply1, formatShape, type Operator, type Tensor } from '../tensor.js';
import { ONNX_TYPE as DataType, float32 } from './rules.js';

function expectRows(operator: string, x: Tensor, scales: Tensor): void {
  const [rows] = x.shape;
  if (x.shape.length !== 2 || formatShape(float32(operator, scales).shape) !== `[${rows}]`) {
    throw new Error(
      `${operator}: expected [R, C] and scales [R], got ${formatShape(x.shape)} and ${formatShape(scales.shape)}`,
    );
  }
}

export const quantization = {
  roundBfloat16: {
    name: 'roundBfloat16',
    infer: ([x]) => [{ shape: float32('roundBfloat16', x!).shape, dtype: 'float32' }],
    lower: {
      onnx: (e, _node, [x]) => {
        const [half] = e.emit('Cast', [x!], { to: DataType.BFLOAT16 });
        return e.emit('Cast', [half!], { to: DataType.FLOAT });
      },
    },
  },
  quantize: {
    name: 'quantize',
    infer: ([x, scales]) => {
      expectRows('quantize', float32('quantize', x!), scales!);
      return [{ shape: x!.shape, dtype: 'int8' }];
    },
    // Measured on the CPU against Div, Round and Cast: twice as fast, the same bits.
    lower: {
      onnx: (e, _node, [x, scales]) =>
        e.emit('QuantizeLinear', [x!, scales!], { axis: 0, output_dtype: DataType.INT8 }),
    },
  },
  dequantize: {
    name: 'dequantize',
    infer: ([codes, scales]) => {
      if (codes!.dtype !== 'int8') throw new Error(`dequantize: expected int8, got ${codes!.dtype}`);
      expectRows('dequantize', codes!, scales!);
      return [{ shape: codes!.shape, dtype: 'float32' }];
    },
    lower: { onnx: (e, _node, inputs) => e.emit('DequantizeLinear', inputs, { axis: 0 }) },
  },
} satisfies Record<string, Operator>;

/** The nearest value whose lower 16 bits are 0 (bfloat16), ties to even; still float32. */
export const roundBfloat16 = (x: Tensor): Tensor => apply1(quantization.roundBfloat16, [x]);

/**
 * x / scale, rounded to the nearest integer with ties to even, saturated to −128 … 127: ONNX's QuantizeLinear.
 *
 * @param x [R, C]
 * @param scales one a row, [R]
 */
export const quantize = (x: Tensor, scales: Tensor): Tensor => apply1(quantization.quantize, [x, scales]);

/** Codes [R, C] times the scale of their row, [R]: float32. */
export const dequantize = (codes: Tensor, scales: Tensor): Tensor => apply1(quantization.dequantize, [codes, scales]);
