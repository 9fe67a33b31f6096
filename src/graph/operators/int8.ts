import { apply, apply1, type Emitter, formatShape, type Operator, type Shape, type Tensor } from '../tensor.js';
import { add, mul, scale } from './elementwise.js';
import { column } from './lookup.js';
import { ONNX_TYPE as DataType, float32, int64s } from './rules.js';
import { split } from './shaping.js';
import { scalar } from './source.js';

/*
 * Matrices in codes of 8 bits. Processors multiply unsigned by signed ones (VNNI: four products in the place of one of
 * float32), so the first factor of a product is uint8 and the second int8. Two signed ones are slower than float32.
 */

/** Below every magnitude that means anything: of zeros alone the codes are 0 and not 0 / 0. */
const TINY = 1e-30;
/** Codes of a symmetric scale are −127 … 127, */
export const MOST = 127;
/** in uint8 with this added. */
const MIDDLE = 128;
/** Of rows that hold little below 0 so many codes are. */
const BELOW = 16;

function expectMatrix(operator: string, x: Tensor): void {
  if (x.shape.length !== 2) throw new Error(`${operator}: expected a matrix, got ${formatShape(x.shape)}`);
}

/** Scales of all of a matrix, or one a row. */
function expectScales(operator: string, x: Tensor, scales: Tensor): void {
  const shape = formatShape(float32(operator, scales).shape);
  if (shape !== '[]' && shape !== `[${x.shape[0]}]`)
    throw new Error(`${operator}: expected scales [] or [${x.shape[0]}], got ${shape}`);
}

/** A zero point for each scale. */
function zeroPoints(e: Emitter, scales: Shape, value: number): string {
  return e.constant(new Uint8Array(scales[0] ?? 1).fill(value), scales);
}

/** The largest |x| along axes, or of `others`. Measured on the CPU: faster than the largest of Abs by a fifth. */
function largest(e: Emitter, x: string, axes: string, ...others: readonly string[]): string[] {
  const [most] = e.emit('ReduceMax', [x, axes], { keepdims: 0 });
  const [least] = e.emit('ReduceMin', [x, axes], { keepdims: 0 });
  const [opposite] = e.emit('Neg', [least!]);
  return e.emit('Max', [most!, opposite!, ...others]);
}

export const int8 = {
  /** Codes uint8 of all of a matrix, with the scale and the zero point that its range asks for. */
  quantizeRange: {
    name: 'quantizeRange',
    infer: ([x]) => {
      expectMatrix('quantizeRange', float32('quantizeRange', x!));
      return [
        { shape: x!.shape, dtype: 'uint8' },
        { shape: [], dtype: 'float32' },
        { shape: [], dtype: 'uint8' },
      ];
    },
    lower: { onnx: (e, _node, inputs) => e.emit('DynamicQuantizeLinear', inputs, {}, { outputs: 3 }) },
  },
  magnitude: {
    name: 'magnitude',
    infer: ([x], { rows }) => {
      expectMatrix('magnitude', float32('magnitude', x!));
      return [{ shape: rows ? [x!.shape[0]!] : [], dtype: 'float32' }];
    },
    lower: {
      onnx: (e, node, [x]) => {
        const axes = node.attributes.rows ? [1] : [0, 1];
        const above0 = e.constant(Float32Array.of(TINY), []);
        return largest(e, x!, e.constant(int64s(axes), [axes.length]), above0);
      },
    },
  },
  quantizeSymmetric: {
    name: 'quantizeSymmetric',
    infer: ([x, scales], { signed }) => {
      expectMatrix('quantizeSymmetric', float32('quantizeSymmetric', x!));
      expectScales('quantizeSymmetric', x!, scales!);
      return [{ shape: x!.shape, dtype: signed ? 'int8' : 'uint8' }];
    },
    lower: {
      onnx: (e, node, [x, scales]) => {
        if (node.attributes.signed)
          return e.emit('QuantizeLinear', [x!, scales!], { axis: 0, output_dtype: DataType.INT8 });
        return e.emit('QuantizeLinear', [x!, scales!, zeroPoints(e, node.inputs[1]!.shape, MIDDLE)], { axis: 0 });
      },
    },
  },
  /** Codes uint8 of rows, however many there are, and the step of each. */
  quantizeRows: {
    name: 'quantizeRows',
    infer: ([x]) => {
      expectMatrix('quantizeRows', float32('quantizeRows', x!));
      return [
        { shape: x!.shape, dtype: 'uint8' },
        { shape: [x!.shape[0]!], dtype: 'float32' },
      ];
    },
    lower: {
      onnx: (e, node, [x]) => {
        const { least } = node.attributes as { least?: number };
        const axes = e.constant(int64s([1]), [1]);
        const number = (value: number) => e.constant(Float32Array.of(value), []);
        const [most] = least === undefined ? largest(e, x!, axes) : e.emit('ReduceMax', [x!, axes], { keepdims: 0 });
        const [above, narrowest] = least === undefined ? [MOST, TINY / MOST] : [255 - BELOW, -least / BELOW];
        const [wanted] = e.emit('Mul', [most!, number(1 / above)]);
        const [steps] = e.emit('Max', [wanted!, number(narrowest)]);
        // A constant as long as there are rows would be of one number of rows.
        const [rows] = e.emit('Shape', [steps!]);
        const middle = e.constant(Uint8Array.of(least === undefined ? MIDDLE : BELOW), [1]);
        const [zeros] = e.emit('Expand', [middle, rows!]);
        const [codes] = e.emit('QuantizeLinear', [x!, steps!, zeros!], { axis: 0 });
        return [codes!, steps!];
      },
    },
  },
  /** Codes uint8 of what is not negative, by a scale known now. */
  quantizePositive: {
    name: 'quantizePositive',
    infer: ([x]) => {
      expectMatrix('quantizePositive', float32('quantizePositive', x!));
      return [{ shape: x!.shape, dtype: 'uint8' }];
    },
    lower: {
      onnx: (e, node, [x]) => {
        const step = e.constant(Float32Array.of(node.attributes.step as number), []);
        return e.emit('QuantizeLinear', [x!, step, zeroPoints(e, [], 0)]);
      },
    },
  },
  productInt8: {
    name: 'productInt8',
    infer: ([a, aScale, b, bScale, zero, bias]) => {
      const [[m, k], [k2, n]] = [a!.shape, b!.shape] as [number[], number[]];
      const shapes = [a, aScale, b, bScale, zero, bias].flatMap((x) =>
        x ? [`${x.dtype} ${formatShape(x.shape)}`] : [],
      );
      const fits =
        a!.shape.length === 2 &&
        b!.shape.length === 2 &&
        k === k2 &&
        a!.dtype === 'uint8' &&
        b!.dtype === 'int8' &&
        formatShape(aScale!.shape) === '[]' &&
        ['[]', `[${n}]`].includes(formatShape(bScale!.shape)) &&
        formatShape(zero!.shape) === '[]' &&
        zero!.dtype === 'uint8' &&
        (!bias || formatShape(bias.shape) === `[${n}]`);
      if (!fits)
        throw new Error(
          'productInt8: expected uint8 [M, K] with a scale [], int8 [K, N] with scales [] or [N], a zero point uint8 [] ' +
            `and perhaps a bias [N]; got ${shapes.join(', ')}`,
        );
      return [{ shape: [m!, n!], dtype: 'float32' }];
    },
    // It takes no scales of the first factor's rows: of a square product it would take them for those of columns.
    lower: {
      onnx: (e, _node, [a, aScale, b, bScale, zero, bias]) => {
        const operands = [a!, b!, aScale!, bScale!, zero!, ...(bias === undefined ? [] : ['', bias])];
        return e.emit('MatMulIntegerToFloat', operands, {}, { domain: 'com.microsoft' });
      },
    },
  },
  /** A zero point as a tensor of no axes. */
  zeroPoint: {
    name: 'zeroPoint',
    infer: () => [{ shape: [], dtype: 'uint8' }],
    lower: { onnx: (e, node) => [e.constant(Uint8Array.of(node.attributes.value as number), [])] },
  },
} satisfies Record<string, Operator>;

/** A matrix in codes: (code − zero) · scale; the zero point of int8 is 0. */
export interface Codes {
  readonly codes: Tensor;
  /** One for all, [], or one a row (then of codes that are no factor yet). */
  readonly scale: Tensor;
  readonly zero: Tensor;
}

const zeroPoint = (value: number): Tensor => apply1(int8.zeroPoint, [], { value });

/** The largest |x| of all of a matrix, []; or of each row, [R]. Above 0, so that it can be divided by. */
export const magnitude = (x: Tensor, rows = false): Tensor => apply1(int8.magnitude, [x], { rows });

/** Codes uint8 of all that a matrix [R, C] holds, from its least to its largest value. */
export function quantizeRange(x: Tensor): Codes {
  const [codes, step, zero] = apply(int8.quantizeRange, [x]) as [Tensor, Tensor, Tensor];
  return { codes, scale: step, zero };
}

/**
 * Codes of equal steps up and down from 0.
 *
 * @param x [R, C]
 * @param magnitudes the largest |x| of all, [], or of each row, [R]
 */
export function quantizeSymmetric(x: Tensor, magnitudes: Tensor, signed: boolean): Codes {
  const step = scale(magnitudes, 1 / MOST);
  const codes = apply1(int8.quantizeSymmetric, [x, step], { signed });
  return { codes, scale: step, zero: zeroPoint(signed ? 0 : MIDDLE) };
}

/**
 * Codes of the rows of a matrix [R, C], of which a program of any size has any number: of equal steps up and down from 0, or
 * where nothing lies below `least`, as behind a GELU, nearly all of them above.
 *
 * @param least below 0
 */
export function quantizeRows(x: Tensor, least?: number): Codes {
  const [codes, step] = apply(int8.quantizeRows, [x], least === undefined ? {} : { least }) as [Tensor, Tensor];
  return { codes, scale: step, zero: zeroPoint(least === undefined ? MIDDLE : BELOW) };
}

/** Weights in codes int8 [I, O], with a scale for each output, [O]. */
export interface ColumnCodes {
  readonly codes: Tensor;
  readonly scales: Tensor;
}

/** The product of rows in codes and weights of which so many inputs after the other have scales of their own: [R, O]. */
export function productOfRows({ codes, scale: step, zero }: Codes, weights: readonly ColumnCodes[]): Tensor {
  const sizes = weights.map((one) => one.codes.shape[0]!);
  const parts = sizes.length === 1 ? [codes] : split(codes, 1, sizes);
  const products = weights.map((one, i) =>
    productInt8({ codes: parts[i]!, scale: scalar(1), zero }, { codes: one.codes, scale: one.scales }),
  );
  // A row's scale is no factor of a product.
  return mul(products.reduce(add), column(step));
}

/** Codes uint8 of a matrix of values from 0 to 255 `step`. */
export function quantizePositive(x: Tensor, step: number): Tensor {
  return apply1(int8.quantizePositive, [x], { step });
}

/** The zero point of {@link quantizePositive}. */
export const nothing = (): Tensor => zeroPoint(0);

/**
 * The product of two matrices in codes, in sums of 32 bits: float32.
 *
 * @param a uint8 [M, K], of one scale
 * @param b int8 [K, N], of one scale or, as a factor alone can have it, one a column [N]
 * @param bias [N]
 */
export function productInt8(a: Codes, b: Omit<Codes, 'zero'>, bias?: Tensor): Tensor {
  return apply1(int8.productInt8, [a.codes, a.scale, b.codes, b.scale, a.zero, ...(bias ? [bias] : [])]);
}

/** The product of codes as they are: uint8 [M, K] and int8 [K, N]. */
export function productOfCodes(a: Tensor, b: Tensor): Tensor {
  const [one, zero] = [scalar(1), nothing()];
  return productInt8({ codes: a, scale: one, zero }, { codes: b, scale: one });
}
