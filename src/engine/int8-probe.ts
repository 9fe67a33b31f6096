import {
  encode,
  gemm,
  gradients,
  hasInt8,
  input,
  linear,
  mul,
  type Program,
  productOfCodes,
  reduceSum,
} from '../graph/index.js';
import type { Engine, HostArrays, SessionOptions } from './engine.js';

/** What an engine's products in 8 bits are worth where it runs. */
export interface Int8Probe {
  /**
   * Whether they are right to the last bit. Processors without instructions of their own for it add pairs of products in 16
   * bits, which are too few.
   */
  readonly exact: boolean;
  /** How many times as fast as in float32 a layer is, with all that it costs to quantise. 0 where they are not exact. */
  readonly gain: number;
}

/** Codes of a product that goes to the limits: the largest of both signs, and numbers of no order. */
const [M, K, N] = [34, 64, 48] as const;
/** A layer of a small model: of larger ones the gain is larger. */
const [ROWS, WIDTH] = [512, 384] as const;
const LOOKS = 6;
/** At a gain below this it is looked at so many times: other work on the machine may have met one of both each time. */
const [DOUBTFUL, MORE_LOOKS] = [1.3, 30] as const;

/**
 * Tries products in 8 bits: whether they are exact, and how much faster they are; takes a few tenths of a second, or one where they gain little.
 *
 * @param now milliseconds of a steady clock
 */
export async function probeInt8(
  engine: Engine,
  options: SessionOptions = {},
  now: () => number = () => performance.now(),
): Promise<Int8Probe> {
  if (!(await isInt8Exact(engine, options))) return { exact: false, gain: 0 };
  const values = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * i));
  const feeds = { x: values(ROWS * WIDTH), w: values(WIDTH * WIDTH), g: values(ROWS * WIDTH) };
  const sessions = [];
  for (const product of [gemm, linear] as const)
    sessions.push(await engine.compile(traceLayer(engine, product), options));
  const best = sessions.map(() => Number.POSITIVE_INFINITY);
  try {
    const doubtful = () => best[0]! / best[1]! < DOUBTFUL;
    for (let look = 0; look <= LOOKS || (look <= MORE_LOOKS && doubtful()); look++) {
      for (const [i, session] of sessions.entries()) {
        const start = now();
        await session.run(feeds);
        // The first run of each finds nothing in its place.
        if (look > 0) best[i] = Math.min(best[i]!, now() - start);
      }
    }
  } finally {
    for (const session of sessions) await session.dispose();
  }
  return { exact: true, gain: best[0]! / best[1]! };
}

/** A layer and its gradients. */
function traceLayer({ target }: Engine, product: typeof gemm | typeof linear): Program {
  const [x, w, g] = [input('x', [ROWS, WIDTH]), input('w', [WIDTH, WIDTH]), input('g', [ROWS, WIDTH])];
  const loss = reduceSum(mul(product(x, w), g), [0, 1]);
  const [dx, dw] = gradients(loss, [x, w]);
  return encode({ loss, dx: dx!, dw: dw! }, target);
}

/** Whether an engine has products in 8 bits that are right to the last bit, on this processor. */
export async function isInt8Exact(engine: Engine, options: SessionOptions = {}): Promise<boolean> {
  if (!hasInt8(engine.target)) return false;
  const a = Uint8Array.from({ length: M * K }, (_, i) => (i < 2 * K ? 255 : (i * i * 31) % 256));
  const b = Int8Array.from({ length: K * N }, (_, i) => [127, -127, ((i * i * 17) % 255) - 127][(i % N) % 3]!);
  const product = productOfCodes(input('a', [M, K], 'uint8'), input('b', [K, N], 'int8'));
  const session = await engine.compile(encode({ product }, engine.target), options);
  const feeds: HostArrays = { a, b };
  try {
    const found = (await session.run(feeds)).product!;
    return Array.from({ length: M * N }, (_, at) => {
      let sum = 0;
      for (let k = 0; k < K; k++) sum += a[Math.floor(at / N) * K + k]! * b[k * N + (at % N)]!;
      return found[at] === sum;
    }).every((same) => same);
  } finally {
    await session.dispose();
  }
}
