/*
 * Shape suffixes: R rows of a matrix, one an output, of I inputs; Z blocks of a row, of S weights.
 */
import type { AnySizeEngine, AnySizeSession } from '../engine/engine.js';
import { Compiled } from '../engine/sessions.js';
import {
  type AnySizeProgram,
  abs,
  concat,
  div,
  encodeAnySize,
  input,
  maximum,
  quantize,
  reduceMax,
  reshape,
  scalar,
  type Target,
} from '../graph/index.js';

/** Weights of a run: they stay near the processor from one operator to the next. */
const RUN_WEIGHTS = 2 ** 18;
/** The least normal number: what is divided by is not 0. */
const LEAST = 2 ** -126;
/** What stands in a byte for 0, in each byte of a word. */
const MIDDLES = 0x80808080;

/** Where the codes and scales of some rows go. */
export interface BlockPlaces {
  readonly codes: Uint8Array;
  readonly scales: Float32Array;
}

/**
 * Rounds weights to 8 bits on an engine: what `storeBlocks` gives, in a quarter of its time. For matrices with a row for
 * each output.
 */
export class BlockRounder {
  readonly #sessions = new Compiled<AnySizeSession>();

  /** @param threads of a run */
  constructor(
    private readonly engine: AnySizeEngine,
    private readonly threads: number,
  ) {}

  /** @param inputs weights of a row @param size of a block */
  async round(weights: Float32Array, inputs: number, size: number, { codes, scales }: BlockPlaces): Promise<void> {
    const session = await this.#sessions.of(`${inputs} ${size}`, () =>
      this.engine.compileAnySize(traceRounding(inputs, size, this.engine.target), {
        threads: this.threads,
        spinning: false,
      }),
    );
    const Z = Math.ceil(inputs / size);
    const rows = weights.length / inputs;
    const most = Math.max(1, Math.floor(RUN_WEIGHTS / inputs));
    const missing = Z * size - inputs;
    const zeros = new Float32Array(most * missing);
    for (let row = 0; row < rows; row += most) {
      const R = Math.min(most, rows - row);
      const [from, to] = [row * Z, (row + R) * Z];
      await session.run(
        {
          weights: { data: weights.subarray(row * inputs, (row + R) * inputs), shape: [R, inputs] },
          ...(missing > 0 && { fill: { data: zeros.subarray(0, R * missing), shape: [R, missing] } }),
        },
        {
          codes: {
            data: new Int8Array(codes.buffer, codes.byteOffset + from * size, (to - from) * size),
            shape: [to - from, size],
          },
          scales: { data: scales.subarray(from, to), shape: [to - from] },
        },
      );
    }
    const words = new Uint32Array(codes.buffer, codes.byteOffset, codes.length / 4);
    for (let i = 0; i < words.length; i++) words[i] = words[i]! ^ MIDDLES;
  }

  dispose(): Promise<void> {
    return this.#sessions.dispose();
  }
}

/** Inputs: `weights` [R, I] and, where a row does not fill its blocks, zeros that do, `fill`. Outputs: `codes` [R·Z, S] int8, `scales` [R·Z]. */
function traceRounding(inputs: number, size: number, target: Target): AnySizeProgram {
  const Z = Math.ceil(inputs / size);
  return encodeAnySize(
    [{ name: 'rows', at: ['weights', 0] }],
    ({ rows: R }) => {
      const weights = input('weights', [R, inputs]);
      const missing = Z * size - inputs;
      const whole = missing === 0 ? weights : concat([weights, input('fill', [R, missing])], 1);
      const blocks = reshape(whole, [R * Z, size]);
      const scales = div(reduceMax(abs(blocks), [1]), scalar(127));
      return { codes: quantize(blocks, maximum(scales, scalar(LEAST))), scales };
    },
    target,
  );
}
