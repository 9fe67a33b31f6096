import type { Engine, Session } from '../engine/engine.js';
import { Sessions } from '../engine/sessions.js';
import { gemm, input } from '../graph/index.js';
import { type FactorType, type Real, zeros } from './types.js';

/** Rows of one product: 1,024 rows of 256 doubles stay in a core's second cache, and few shapes are compiled. */
export const KERNEL_ROWS = 1024;

/** The matrix products of a factorisation, run by ONNX Runtime on one thread, a session for each shape. */
export class Kernels {
  readonly #sessions: Sessions;
  /** Where a product is made that cannot be made in place. */
  #product: Real;

  constructor(
    engine: Engine,
    readonly type: FactorType,
  ) {
    this.#sessions = new Sessions(engine);
    this.#product = zeros(type, 0);
  }

  /**
   * c −= a · b in place.
   *
   * @param c_MN written
   * @param a_MK must not overlap c
   * @param b_KN must not overlap c
   */
  async subtractProduct(c_MN: Real, a_MK: Real, b_KN: Real, rows: number, inner: number, columns: number) {
    for (let row = 0; row < rows; row += KERNEL_ROWS) {
      const some = Math.min(KERNEL_ROWS, rows - row);
      const session = await this.#session(some, inner, columns);
      const c = c_MN.subarray(row * columns, (row + some) * columns);
      const a = a_MK.subarray(row * inner, (row + some) * inner);
      await session.run({ a, b: b_KN.subarray(0, inner * columns), c }, { y: c });
    }
  }

  /**
   * b ← a · b.
   *
   * @param a_MM must not overlap b
   * @param b_MN overwritten; what lies behind it stays
   */
  async multiplyInPlace(a_MM: Real, b_MN: Real, size: number, columns: number): Promise<void> {
    const session = await this.#sessions.get(`${size} ${columns}`, () => ({
      y: gemm(input('a', [size, size], this.type), input('b', [size, columns], this.type)),
    }));
    const b = b_MN.subarray(0, size * columns);
    if (this.#product.length < b.length) this.#product = zeros(this.type, b.length);
    const y = this.#product.subarray(0, b.length);
    await session.run({ a: a_MM, b }, { y });
    b.set(y);
  }

  async dispose(): Promise<void> {
    await this.#sessions.dispose();
  }

  #session(rows: number, inner: number, columns: number): Promise<Session> {
    return this.#sessions.get(`${rows} ${inner} ${columns}`, () => {
      const [a, b, c] = (
        [
          ['a', [rows, inner]],
          ['b', [inner, columns]],
          ['c', [rows, columns]],
        ] as const
      ).map(([name, shape]) => input(name, shape, this.type));
      // The operator copies c to y before it adds to it: where both are one array, that copy is none.
      return { y: gemm(a!, b!, c!, { alpha: -1 }) };
    });
  }
}
