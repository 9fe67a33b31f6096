import type { Engine } from '../engine/engine.js';
import { encode, gemm, input } from '../graph/index.js';
import { type FactorType, zeros } from './types.js';

const SIZE = 1024;
const SECONDS = 0.5;

/**
 * The best speed of a square matrix product (1,024) on one thread, in GFLOP/s, of a few in half a second: what a
 * factorisation is held against.
 */
export async function productSpeed(engine: Engine, type: FactorType): Promise<number> {
  const [a, b] = ['a', 'b'].map((name) => input(name, [SIZE, SIZE], type));
  const session = await engine.compile(encode({ y: gemm(a!, b!) }, engine.target));
  const fill = () => zeros(type, SIZE * SIZE).map((_: number, i: number) => ((i % 7) - 3) / SIZE);
  const feeds = { a: fill(), b: fill() };
  const into = { y: zeros(type, SIZE * SIZE).fill(0) };
  let best = Number.POSITIVE_INFINITY;
  for (const end = performance.now() + 1000 * SECONDS; performance.now() < end; ) {
    const begin = performance.now();
    await session.run(feeds, into);
    best = Math.min(best, performance.now() - begin);
  }
  await session.dispose();
  return (2 * SIZE ** 3) / best / 1e6;
}
