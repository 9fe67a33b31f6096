import { encode, gemm, input, type Target } from '../graph/index.js';
import type { Engine, SessionOptions } from './engine.js';

/** What an engine's products of 16 bits are worth where it runs. */
export interface HalfProbe {
  /** Whether it has them, and what comes out is right but for the rounding. */
  readonly right: boolean;
  /** How many times as fast as in float32 a product is, with its operands rounded at each. 0 where there are none. */
  readonly gain: number;
  /** Why there are none, in the engine's words. */
  readonly reason?: string;
}

/** Targets that may compute in 16 bits. The others have at most the rounding, and compute in float32 what they rounded. */
const HAVE_HALF: readonly Target[] = ['webgpu', 'cuda'];

const SIZE = 1024;
const LOOKS = 4;
/** Of 1,024 terms with the 8 bits of bf16's fraction. */
const TOLERANCE = 0.02;

/**
 * Tries products of 16 bits: whether a device has them, and how much faster they are.
 *
 * @param now milliseconds of a steady clock
 */
export async function probeHalf(
  engine: Engine,
  products: 'fp16' | 'bf16',
  options: SessionOptions = {},
  now: () => number = () => performance.now(),
): Promise<HalfProbe> {
  if (!HAVE_HALF.includes(engine.target)) return { right: false, gain: 0, reason: 'it computes in float32' };
  const trace = (of?: 'fp16' | 'bf16') => {
    const y = gemm(input('a', [SIZE, SIZE]), input('b', [SIZE, SIZE]), undefined, { transB: true });
    // A few of the sums: to copy all of them would take longer than to make them.
    return encode({ some: gemm(input('few', [8, SIZE]), y) }, engine.target, { products: of });
  };
  const values = (step: number, count: number) =>
    Float32Array.from({ length: count }, (_, i) => Math.sin(step * i * i));
  const feeds = { a: values(1, SIZE * SIZE), b: values(3, SIZE * SIZE), few: values(5, 8 * SIZE) };
  const best: number[] = [];
  const results: Float32Array[] = [];
  try {
    // The one that may be missing first: a slow device need not make the other in vain.
    for (const program of [trace(products), trace()]) {
      const session = await engine.compile(program, options);
      try {
        let least = Number.POSITIVE_INFINITY;
        const begin = now();
        for (let look = 0; look <= LOOKS && (look < 2 || now() - begin < 4000); look++) {
          const start = now();
          const { some } = await session.run(feeds);
          if (look > 0) least = Math.min(least, now() - start);
          results[best.length] = some as Float32Array;
        }
        best.push(least);
      } finally {
        await session.dispose();
      }
    }
  } catch (error) {
    return { right: false, gain: 0, reason: error instanceof Error ? error.message.split('\n')[0]! : String(error) };
  }
  const [rounded, exact] = results as [Float32Array, Float32Array];
  const size = Math.hypot(...exact);
  const error = Math.hypot(...exact.map((value, i) => value - rounded[i]!));
  const right = error < TOLERANCE * size;
  return right ? { right, gain: best[1]! / best[0]! } : { right, gain: 0, reason: 'its products are wrong' };
}
