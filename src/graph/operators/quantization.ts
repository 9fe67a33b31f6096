import { apply1, type Emitter, formatShape, type Operator, type Shape, sizeOf, type Tensor } from '../tensor.js';
import { ONNX_TYPE as DataType, float32, int64s } from './rules.js';

function expectRows(operator: string, x: Tensor, scales: Tensor): void {
  const [rows] = x.shape;
  if (x.shape.length !== 2 || formatShape(float32(operator, scales).shape) !== `[${rows}]`) {
    throw new Error(
      `${operator}: expected [R, C] and scales [R], got ${formatShape(x.shape)} and ${formatShape(scales.shape)}`,
    );
  }
}

/** What the halves of a byte stand for, the lower one first: their numbers less 8, [256, 2]. */
const CODES_OF_BYTE = Float32Array.from({ length: 512 }, (_, i) => ((i >> 1) >> (4 * (i & 1))) & 15).map((n) => n - 8);

/**
 * Bytes [R, C] as twice as many int8 codes, [R, C, 2]. Rows of a table, since nothing in JavaScript feeds ONNX's own int4;
 * GatherBlockQuantized would do it in one node and takes four times as long (measured).
 */
function unpacked(e: Emitter, bytes: string): string {
  const [table] = e.emit('Cast', [e.constant(CODES_OF_BYTE, [256, 2])], { to: DataType.INT8 });
  const [rows] = e.emit('Cast', [bytes], { to: DataType.INT32 });
  return e.emit('Gather', [table!, rows!], { axis: 0 })[0]!;
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
  dequantizeBlocks: {
    name: 'dequantizeBlocks',
    infer: ([codes, scales], { shape }) => {
      const [blocks, stored] = codes!.shape;
      const perCode = codes!.dtype === 'uint8' ? 2 : 1;
      const fits =
        codes!.shape.length === 2 &&
        ['int8', 'uint8'].includes(codes!.dtype) &&
        formatShape(float32('dequantizeBlocks', scales!).shape) === `[${blocks}]` &&
        blocks! * stored! * perCode === sizeOf(shape as Shape);
      if (!fits)
        throw new Error(
          `dequantizeBlocks: expected int8 or uint8 codes [R, C] and scales [R] for ${formatShape(shape as Shape)}, got ` +
            `${codes!.dtype} ${formatShape(codes!.shape)} and ${formatShape(scales!.shape)}`,
        );
      return [{ shape: shape as Shape, dtype: 'float32' }];
    },
    // Measured on the CPU: scales of an axis are 2.5 times as fast as `block_size`.
    lower: {
      onnx: (e, node, [codes, scales]) => {
        const [blocks, stored] = node.inputs[0]!.shape as [number, number];
        const reshaped = (x: string, shape: Shape) =>
          e.emit('Reshape', [x, e.constant(int64s(shape), [shape.length])])[0]!;
        const packed = node.inputs[0]!.dtype === 'uint8';
        const rows = packed ? reshaped(unpacked(e, codes!), [blocks, 2 * stored]) : codes!;
        const [values] = e.emit('DequantizeLinear', [rows, scales!], { axis: 0 });
        return [reshaped(values!, node.outputs[0]!.shape)];
      },
    },
  },
  widenBfloat16: {
    name: 'widenBfloat16',
    infer: ([bits]) => {
      if (bits!.dtype !== 'uint16') throw new Error(`widenBfloat16: expected uint16, got ${bits!.dtype}`);
      return [{ shape: bits!.shape, dtype: 'float32' }];
    },
    lower: {
      onnx: (e, _node, [bits]) => {
        const [half] = e.emit('BitCast', [bits!], { to: DataType.BFLOAT16 }, { since: 26n });
        return e.emit('Cast', [half!], { to: DataType.FLOAT });
      },
    },
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

/**
 * What is stored in blocks of codes, each with a scale: code · scale, in row-major order.
 *
 * @param codes int8 [R, C], or uint8 [R, C / 2]: two codes a byte, the lower half first, each with 8 added, as MatMulNBits
 * of ONNX Runtime has them
 * @param scales one a block, [R]
 * @param shape of what comes, R · C elements
 */
export const dequantizeBlocks = (codes: Tensor, scales: Tensor, shape: Shape): Tensor =>
  apply1(quantization.dequantizeBlocks, [codes, scales], { shape });

/** Bits of bfloat16 values, uint16, as float32: nothing is lost. */
export const widenBfloat16 = (bits: Tensor): Tensor => apply1(quantization.widenBfloat16, [bits]);
