import {
  add,
  constant,
  encode,
  input,
  matmul,
  type Program,
  reduceSum,
  type Target,
  type Tensor,
} from '../graph/index.js';
import { bestTime } from './best-time.js';
import type { Engine, SessionOptions } from './engine.js';

const SIZE = 768;
const PRODUCTS = 8;
/** Floating-point operations of one run. */
const OPERATIONS = PRODUCTS * 2 * SIZE ** 3;

/** A chain of matrix products that starts and ends with one number, so that no device waits for copies. */
export function traceProducts(target: Target): Program {
  // Entries of about 1/SIZE keep the chain's values near those that it starts with.
  const matrix = constant(
    Float32Array.from({ length: SIZE * SIZE }, (_, i) => ((i % 7) + 1) / (4 * SIZE)),
    [SIZE, SIZE],
  );
  let y: Tensor = add(matrix, input('start', []));
  for (let i = 0; i < PRODUCTS; i++) y = matmul(y, matrix);
  return encode({ sum: reduceSum(y, [0, 1]) }, target);
}

/**
 * The best speed of float32 matrix products (768 × 768) that an engine reaches within a second, in GFLOP/s: 10⁹
 * multiplications and additions a second.
 *
 * @param now milliseconds of a steady clock
 * @throws MeanfieldError when the device cannot be used
 */
export async function measureProducts(
  engine: Engine,
  options: SessionOptions = {},
  now: () => number = () => performance.now(),
): Promise<number> {
  const session = await engine.compile(traceProducts(engine.target), options);
  try {
    const best = await bestTime(now, () => session.run({ start: Float32Array.of(1) }));
    return OPERATIONS / (best * 1e6);
  } finally {
    await session.dispose();
  }
}
