/*
 * What an optimiser keeps from one step to the next, in few bits.
 */
import { apply, apply1, type Emitter, formatShape, type Operator, type Tensor } from '../tensor.js';
import { ONNX_TYPE as DataType, float32, int64s } from './rules.js';

/** What BitCast came with. */
const LATE = { since: 26n };

/** Elements that share a scale. */
export const MOMENT_BLOCK = 256;
/** Above the least normal number: those below count as 0 where a session is told so, and 0 / 0 has no code. */
const TINY = 2e-38;
const blocksOf = (size: number): number => Math.ceil(size / MOMENT_BLOCK);

/**
 * The 256 values of the dynamic code, rising, of which the largest is 1 (Dettmers et al., arXiv 2110.02861 §2.1, as
 * bitsandbytes has it): seven decades, each with twice as many steps as the one below. One without a sign has twice as many
 * steps again.
 */
function dynamicCode(signed: boolean): Float32Array {
  const values = [0, 1];
  for (let decade = 0; decade < 7; decade++) {
    const steps = 2 ** decade * (signed ? 1 : 2);
    for (let k = 0; k < steps; k++) {
      const value = 10 ** (decade - 6) * (0.1 + (0.9 * (k + 0.5)) / steps);
      values.push(value, ...(signed ? [-value] : []));
    }
  }
  return Float32Array.from(values).sort();
}

/** Bits of a number between −1 and 1 that its code is looked up by: sign, exponent, and 8 of the mantissa. */
const LOOKED_AT = 17;

/**
 * The nearest code of every number, by its first bits: of numbers that are within 0.2 % of half-way between two, at times the
 * other. Without a sign, what is not 0 never becomes 0: AdamW divides by its root.
 */
function codesByBits(code: Float32Array, signed: boolean): Uint8Array {
  const bits = new Uint32Array(1);
  const number = new Float32Array(bits.buffer);
  const codes = new Uint8Array(2 ** (signed ? LOOKED_AT : LOOKED_AT - 1));
  for (let i = 0; i < codes.length; i++) {
    // In the middle of those that begin so.
    bits[0] = ((i + 0.5) * 2 ** (32 - LOOKED_AT)) >>> 0;
    const x = Math.max(-1, Math.min(1, Number.isNaN(number[0]!) ? 0 : number[0]!));
    let [low, high] = [0, code.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (code[middle]! <= x) low = middle;
      else high = middle;
    }
    codes[i] = x - code[low]! <= code[high]! - x ? low : high;
    // Those of number 0 are 0 itself, or next to it.
    if (!signed && i > 0) codes[i] = Math.max(1, codes[i]!);
  }
  return codes;
}

/** Made once, as they are of every graph. */
const tables = [false, true].map((signed) => {
  let made: { readonly code: Float32Array; readonly codes: Uint8Array } | undefined;
  return () => {
    if (!made) {
      const code = dynamicCode(signed);
      made = { code, codes: codesByBits(code, signed) };
    }
    return made;
  };
});
const tableOf = (signed: unknown) => tables[signed ? 1 : 0]!();

/** A vector in rows of blocks, the last of them filled up. */
function inBlocks(e: Emitter, x: string, size: number): string {
  const rows = blocksOf(size);
  const shape = e.constant(int64s([rows, MOMENT_BLOCK]), [2]);
  const zeros = new Float32Array(rows * MOMENT_BLOCK - size);
  const whole = zeros.length === 0 ? x : e.emit('Concat', [x, e.constant(zeros, [zeros.length])], { axis: 0 })[0]!;
  return e.emit('Reshape', [whole, shape])[0]!;
}

/** The vector that such rows are of. */
function outOfBlocks(e: Emitter, rows: string, size: number): string {
  const [flat] = e.emit('Reshape', [rows, e.constant(int64s([-1]), [1])]);
  if (size % MOMENT_BLOCK === 0) return flat!;
  return e.emit('Slice', [flat!, e.constant(int64s([0]), [1]), e.constant(int64s([size]), [1])])[0]!;
}

export const moments = {
  narrowBfloat16: {
    name: 'narrowBfloat16',
    infer: ([x, noise]) => {
      const { shape } = float32('narrowBfloat16', x!);
      if (noise!.dtype !== 'uint16' || formatShape(noise!.shape) !== formatShape(shape))
        throw new Error(
          `narrowBfloat16: expected uint16 noise ${formatShape(shape)}, got ${noise!.dtype} ${formatShape(noise!.shape)}`,
        );
      return [{ shape, dtype: 'uint16' }];
    },
    lower: {
      // A carry out of the lower half goes into the upper one, whatever the sign. Sums of uint32 are not on the CPU.
      onnx: (e, _node, [x, noise]) => {
        const [bits] = e.emit('BitCast', [x!], { to: DataType.INT32 }, LATE);
        const [chance] = e.emit('Cast', [noise!], { to: DataType.INT32 });
        const [sum] = e.emit('Add', [bits!, chance!]);
        const [unsigned] = e.emit('BitCast', [sum!], { to: DataType.UINT32 }, LATE);
        const [places] = e.emit('Cast', [e.constant(Int32Array.of(16), [])], { to: DataType.UINT32 });
        const [upper] = e.emit('BitShift', [unsigned!, places!], { direction: 'RIGHT' });
        return e.emit('Cast', [upper!], { to: DataType.UINT16 });
      },
    },
  },
  narrowBlocks: {
    name: 'narrowBlocks',
    infer: ([x]) => {
      const { shape } = float32('narrowBlocks', x!);
      if (shape.length !== 1) throw new Error(`narrowBlocks: expected a vector, got ${formatShape(shape)}`);
      return [
        { shape, dtype: 'uint8' },
        { shape: [blocksOf(shape[0]!)], dtype: 'float32' },
      ];
    },
    lower: {
      onnx: (e, { inputs: [vector], attributes: { signed } }, [x]) => {
        const size = vector!.shape[0]!;
        const rows = inBlocks(e, x!, size);
        const axis = e.constant(int64s([1]), [1]);
        let [most] = e.emit('ReduceMax', [rows, axis], { keepdims: 1 });
        if (signed) {
          const [least] = e.emit('ReduceMin', [rows, axis], { keepdims: 1 });
          [most] = e.emit('Max', [most!, e.emit('Neg', [least!])[0]!]);
        }
        // Of a block of zeros the codes are those of 0, and not of 0 / 0.
        const [divisor] = e.emit('Max', [most!, e.constant(Float32Array.of(TINY), [])]);
        const [shares] = e.emit('Div', [rows, divisor!]);
        const [bits] = e.emit('BitCast', [shares!], { to: DataType.UINT32 }, LATE);
        const [places] = e.emit('Cast', [e.constant(Int32Array.of(32 - LOOKED_AT), [])], { to: DataType.UINT32 });
        const [first] = e.emit('BitShift', [bits!, places!], { direction: 'RIGHT' });
        const [numbers] = e.emit('Cast', [first!], { to: DataType.INT32 });
        const { codes } = tableOf(signed);
        const [flat] = e.emit('Reshape', [numbers!, e.constant(int64s([-1]), [1])]);
        const [found] = e.emit('GatherElements', [e.constant(codes, [codes.length]), flat!], { axis: 0 });
        const [scales] = e.emit('Reshape', [most!, e.constant(int64s([blocksOf(size)]), [1])]);
        return [outOfBlocks(e, found!, size), scales!];
      },
    },
  },
  widenBlocks: {
    name: 'widenBlocks',
    infer: ([codes, scales]) => {
      const [size] = codes!.shape;
      const fits =
        codes!.dtype === 'uint8' &&
        codes!.shape.length === 1 &&
        formatShape(float32('widenBlocks', scales!).shape) === `[${blocksOf(size!)}]`;
      if (!fits)
        throw new Error(
          `widenBlocks: expected uint8 codes [N] and a scale for each ${MOMENT_BLOCK} of them, got ${codes!.dtype} ` +
            `${formatShape(codes!.shape)} and ${formatShape(scales!.shape)}`,
        );
      return [{ shape: codes!.shape, dtype: 'float32' }];
    },
    lower: {
      onnx: (e, { inputs: [vector], attributes: { signed } }, [codes, scales]) => {
        const size = vector!.shape[0]!;
        const { code } = tableOf(signed);
        const [numbers] = e.emit('Cast', [codes!], { to: DataType.INT32 });
        const [found] = e.emit('GatherElements', [e.constant(code, [code.length]), numbers!], { axis: 0 });
        const shares = inBlocks(e, found!, size);
        const [column] = e.emit('Reshape', [scales!, e.constant(int64s([blocksOf(size), 1]), [2])]);
        const [values] = e.emit('Mul', [shares, column!]);
        return [outOfBlocks(e, values!, size)];
      },
    },
  },
} satisfies Record<string, Operator>;

/**
 * The bits of x as bfloat16, rounded by chance: up in size where the lower half of its bits and the noise come to 2¹⁶ or
 * more. Noise that is as likely one number as another makes the mean of what comes out x itself.
 *
 * @param noise uint16, of x's shape
 */
export const narrowBfloat16 = (x: Tensor, noise: Tensor): Tensor => apply1(moments.narrowBfloat16, [x, noise]);

/**
 * A vector [N] in codes of 8 bits, uint8 [N], with the largest magnitude of each {@link MOMENT_BLOCK} elements beside them,
 * [N / 256] rounded up: each element becomes the nearest of the 256 values of the dynamic code times that magnitude.
 *
 * @param signed whether elements may be below 0; of others, those above 0 stay above it
 */
export function narrowBlocks(x: Tensor, signed: boolean): { readonly codes: Tensor; readonly scales: Tensor } {
  const [codes, scales] = apply(moments.narrowBlocks, [x], { signed });
  return { codes: codes!, scales: scales! };
}

/** What {@link narrowBlocks} with the same `signed` made of a vector, in float32 again. */
export const widenBlocks = (codes: Tensor, scales: Tensor, signed: boolean): Tensor =>
  apply1(moments.widenBlocks, [codes, scales], { signed });
