/*
 * Weights in few bits, in blocks along what a product sums over: of models that write, of frozen ones beside an adapter, and of
 * those that are exported. Shape suffixes: I inputs of a layer, O outputs; Z blocks of a row.
 */
import type { LinearLayer } from './adapter.js';

/** How the weights of a layer lie, and how many: by `rows` whether a row is that of an output, or of an input. */
export type WeightPlace = Pick<LinearLayer, 'inputs' | 'outputs' | 'rows'>;

/** Codes and scales as `blockProduct` takes them. */
export interface StoredBlocks {
  /** [O, Z, bytes of a block]; of 4 bits two a byte, the lower half first. */
  readonly codes: Uint8Array;
  /** [O, Z] */
  readonly scales: Float32Array;
  /** Bytes of a block. */
  readonly bytes: number;
}

/** Weights that share a scale, by their bits: of 8 bits, 32 gain no quality that can be measured, and take more time. */
export const BLOCKS = { 8: 64, 4: 32 } as const;

/** Of a head, the largest product of a token by far and the last: it takes two thirds of its time so and is as good. */
const HEAD_BLOCK = 128;

/** Weights of a head in 8 bits that share a scale, where what fills the last block is little beside its inputs. */
export const headBlock = (inputs: number): number =>
  HEAD_BLOCK * Math.ceil(inputs / HEAD_BLOCK) <= 1.125 * inputs ? HEAD_BLOCK : BLOCKS[8];

/**
 * In how many bits a layer is kept where 4 are asked for: those that give fewer values than they take, into the residual
 * stream or the keys that several heads share, stay in 8. Rounded to 4, they cost most of what is lost at all
 * (SmolLM2-135M: see `bench/RESULTS.md`).
 */
export const bitsOf = ({ inputs, outputs }: Pick<WeightPlace, 'inputs' | 'outputs'>): 4 | 8 =>
  outputs < inputs ? 8 : 4;

/** By what the scale of a block of 4 bits is multiplied, to be tried: cutting the extreme may bring the others nearer. */
const TRIED = [1, 0.95, 0.9, 0.85, 0.8];

/**
 * Rounds weights to 8 or 4 bits, each block with the scale of its extreme; of 4 bits with that of a few which has the least
 * squared error. What fills the last block is 0.
 *
 * @param size weights of a block
 */
export function storeBlocks(
  weights: Float32Array,
  { inputs, outputs, rows }: WeightPlace,
  bits: 4 | 8,
  size: number = BLOCKS[bits],
): StoredBlocks {
  const blocks = Math.ceil(inputs / size);
  const bytes = (size * bits) / 8;
  const codes = new Uint8Array(outputs * blocks * bytes);
  const scales = new Float32Array(outputs * blocks);
  const put = bits === 8 ? put8 : put4;
  const block = new Float32Array(size);
  for (let z = 0; z < blocks; z++) {
    const from = z * size;
    const count = Math.min(size, inputs - from);
    if (count < size) block.fill(0);
    for (let o = 0; o < outputs; o++) {
      const at = o * blocks + z;
      if (rows === 'outputs' && count === size) {
        scales[at] = put(weights, o * inputs + from, size, codes, at * bytes);
        continue;
      }
      if (rows === 'outputs') for (let i = 0; i < count; i++) block[i] = weights[o * inputs + from + i]!;
      else for (let i = 0; i < count; i++) block[i] = weights[(from + i) * outputs + o]!;
      scales[at] = put(block, 0, size, codes, at * bytes);
    }
  }
  return { codes, scales, bytes };
}

/** Codes of `weights[from, from + count)`, from `codes[at]` on. @returns the scale */
type Put = (weights: Float32Array, from: number, count: number, codes: Uint8Array, at: number) => number;

const put8: Put = (weights, from, count, codes, at) => {
  const end = from + count;
  let largest = 0;
  for (let i = from; i < end; i++) largest = Math.max(largest, Math.abs(weights[i]!));
  const scale = Math.fround(largest / 127);
  if (scale === 0) {
    codes.fill(128, at, at + count);
    return 0;
  }
  // As ONNX's QuantizeLinear rounds: the quotient in single precision, ties to even.
  const to = at - from;
  for (let i = from; i < end; i++) codes[to + i] = Math.fround(weights[i]! / scale) + EVEN - EVEN + 128;
  return scale;
};

/** Beside it doubles have no fraction: adding it rounds, ties to even, what is small beside it. */
const EVEN = 1.5 * 2 ** 52;

const put4: Put = (weights, from, count, codes, at) => {
  const end = from + count;
  let extreme = 0;
  for (let i = from; i < end; i++) if (Math.abs(weights[i]!) > Math.abs(extreme)) extreme = weights[i]!;
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (const factor of extreme === 0 ? [] : TRIED) {
    // The extreme has the code of −8, of which the positive side has none.
    const scale = (factor * extreme) / -8;
    const inverse = 1 / scale;
    let error = 0;
    for (let i = from; i < end; i++) {
      const x = weights[i]!;
      const rest = x - scale * nearest(x * inverse);
      error += rest * rest;
    }
    if (error < least) [best, least] = [scale, error];
  }
  const scale = Math.fround(best);
  const inverse = scale === 0 ? 0 : 1 / scale;
  for (let i = from; i < end; i += 2, at++)
    codes[at] = (nearest(weights[i]! * inverse) + 8) | ((nearest(weights[i + 1]! * inverse) + 8) << 4);
  return scale;
};

/** Half of a step is rounded up. */
const nearest = (x: number): number => Math.max(-8, Math.min(7, Math.floor(x + 0.5)));
