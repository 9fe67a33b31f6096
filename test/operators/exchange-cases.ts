import {
  abs,
  dequantize,
  dequantizeBlocks,
  MOMENT_BLOCK,
  maximum,
  minimum,
  narrowBfloat16,
  narrowBlocks,
  quantize,
  roundBfloat16,
  type Tensor,
  widenBfloat16,
  widenBlocks,
} from '../../src/graph/index.js';
import type { Draw, OperatorCase } from './case.js';
import { at, fill, map, zip } from './values.js';

const either =
  (trace: (a: Tensor, b: Tensor) => Tensor, f: (a: number, b: number) => number): OperatorCase =>
  (draw) => {
    const shape = draw.shape();
    const operands = [draw.floats(shape), draw.floats(draw.broadcastable(shape))];
    if (draw.bool()) operands.reverse();
    return { operands, trace, reference: (a, b) => zip(a!, b!, f) };
  };

/** To the nearest integer, ties to even. */
const roundEven = (x: number): number => {
  const below = Math.floor(x);
  const rest = x - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
};

const saturated = (x: number): number => Math.min(127, Math.max(-128, x));

/** To 8 significant bits. */
const bfloat16 = (x: number): number => {
  if (x === 0) return 0;
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(x))) - 7);
  return roundEven(x / unit) * unit;
};

/** The dynamic code of arXiv 2110.02861, rising. */
export function dynamicCode(signed: boolean): number[] {
  const decades = [...Array(7).keys()].flatMap((decade) => {
    const steps = 2 ** decade * (signed ? 1 : 2);
    return Array.from({ length: steps }, (_, k) => 10 ** (decade - 6) * (0.1 + (0.9 * (k + 0.5)) / steps));
  });
  const below = signed ? decades.map((value) => -value).reverse() : [];
  return [...below, 0, ...decades, 1].map(Math.fround);
}

/** Codes of a vector, each block with the largest in it, and their scales. */
function drawBlocks(draw: Draw) {
  const size = draw.size(700);
  const scale = Math.fround(draw.pick(1e-9, 0.3, 1, 77.7));
  const codes = draw.uint8s([size]);
  codes.data.forEach((_, i) => {
    if (i % MOMENT_BLOCK === 0) codes.data[i] = 255;
  });
  const scales = map(draw.floats([Math.ceil(size / MOMENT_BLOCK)]), () => scale);
  return { codes, scales: { ...scales, dtype: 'float32' as const }, scale };
}

/** Of the operators with which machines exchange what they have learnt, and with which weights are kept in few bits. */
export const exchangeCases: Record<string, OperatorCase> = {
  abs: (draw) => ({ operands: [draw.floats(draw.shape())], trace: abs, reference: (x) => map(x!, Math.abs) }),
  minimum: either(minimum, Math.min),
  maximum: either(maximum, Math.max),
  roundBfloat16: (draw) => ({
    operands: [draw.floats(draw.shape(), -1000, 1000)],
    trace: roundBfloat16,
    reference: (x) => map(x!, bfloat16),
  }),
  quantize: (draw) => {
    const shape = [draw.size(), draw.size(40)];
    // Powers of two divide exactly, so that ties are ties; the smallest scale saturates.
    const scale = draw.pick(2 ** -7, 2 ** -3, 0.5);
    const values = draw.floats(shape);
    const ties = { ...values, data: values.data.map((x) => (draw.bool() ? roundEven(4 * x) / 4 : x)) };
    const scales = map(draw.floats([shape[0]!]), () => scale);
    return {
      operands: [ties, { ...scales, dtype: 'float32' }],
      trace: quantize,
      reference: (x, s) => map(x!, (v) => saturated(roundEven(v / s!.data[0]!))),
    };
  },
  dequantize: (draw) => {
    const shape = [draw.size(), draw.size(40)];
    return {
      operands: [draw.int8s(shape), draw.floats([shape[0]!])],
      trace: dequantize,
      reference: (codes, s) => fill(shape, ([row, column]) => at(codes!, [row!, column!]) * s!.data[row!]!),
    };
  },
  dequantizeBlocks: (draw) => {
    const [blocks, stored] = [draw.size(), draw.size(20)];
    const packed = draw.bool();
    const shape = packed ? [2, blocks * stored] : [blocks * stored];
    const codes = packed ? draw.uint8s([blocks, stored]) : draw.int8s([blocks, stored]);
    const perRow = packed ? 2 * stored : stored;
    const code = (data: Float64Array, i: number) => {
      if (!packed) return data[i]!;
      const byte = data[i >> 1]!;
      return (i % 2 === 0 ? byte % 16 : Math.floor(byte / 16)) - 8;
    };
    return {
      operands: [codes, draw.floats([blocks])],
      trace: (c, s) => dequantizeBlocks(c!, s!, shape),
      reference: (c, s) => {
        const data = Float64Array.from({ length: blocks * perRow }, (_, i) => i);
        return { shape, data: data.map((i) => code(c!.data, i) * s!.data[Math.floor(i / perRow)]!) };
      },
    };
  },
  narrowBfloat16: (draw) => {
    const shape = draw.shape();
    const floats = draw.floats(shape, -1000, 1000);
    const values = { ...floats, data: floats.data.map(Math.fround) };
    const noise = map(draw.floats(shape, 0, 1), (u) => (draw.bool() ? Math.floor(u * 2 ** 16) : draw.pick(0, 65535)));
    const bits = (x: number) => new Uint32Array(Float32Array.of(x).buffer)[0]!;
    return {
      operands: [values, { ...noise, dtype: 'uint16' }],
      trace: narrowBfloat16,
      reference: (x, n) => zip(x!, n!, (a, b) => (bits(a) + b) >>> 16),
    };
  },
  narrowBlocks: (draw) => {
    const signed = draw.bool();
    const code = dynamicCode(signed);
    const { codes, scales, scale } = drawBlocks(draw);
    // Near enough to a value that no other is nearer.
    const values = map(codes, (c) => {
      const off = c === 255 || (c === 0 && !signed) ? 0 : draw.pick(0, 0.3) * (code[c + 1]! - code[c]!);
      return Math.fround((code[c]! + off) * scale);
    });
    return {
      operands: [{ ...values, dtype: 'float32' }],
      trace: (x) => {
        const narrow = narrowBlocks(x!, signed);
        return [narrow.codes, narrow.scales];
      },
      reference: () => [codes, scales],
    };
  },
  widenBlocks: (draw) => {
    const signed = draw.bool();
    const code = dynamicCode(signed);
    const { codes, scales, scale } = drawBlocks(draw);
    return {
      operands: [codes, scales],
      trace: (c, s) => widenBlocks(c!, s!, signed),
      reference: () => map(codes, (c) => code[c]! * scale),
    };
  },
  widenBfloat16: (draw) => {
    const shape = draw.shape();
    const values = map(draw.floats(shape, -1000, 1000), bfloat16);
    const bits = (x: number) => new Uint32Array(Float32Array.of(x).buffer)[0]! >>> 16;
    return {
      operands: [{ ...map(values, bits), dtype: 'uint16' }],
      trace: widenBfloat16,
      reference: () => values,
    };
  },
};
