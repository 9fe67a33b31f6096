import type { Engine } from '../engine/engine.js';
import { Blocks, Distribution } from './blocks.js';
import { factorize, type OnProgress } from './factor.js';
import { fillColumns } from './generator.js';
import { gmres } from './gmres.js';
import { KERNEL_ROWS, Kernels } from './kernels.js';
import { PanelFactorizer } from './panel.js';
import { FactorSolver, infinityNorm, multiply, rowSums } from './solve.js';
import { Alone, type LinpackTeam } from './team.js';
import type { FactorType, Real } from './types.js';

/** HPL's bound of the scaled residual. */
export const RESIDUAL_BOUND = 16;
/** HPL's ε: half the distance from 1 to the next double. */
export const EPSILON = 2 ** -53;
/** HPL-MxP's bound of GMRES's iterations. */
export const MOST_ITERATIONS = 50;

/** What fills the columns of [A | b] from `first` on; see {@link fillColumns}. */
export type Fill = (out: Real, n: number, columns: number, first: number) => void;

/** A solution and what it took. */
export interface Measurement {
  /** From the filled matrix to x, on this thread's clock. */
  readonly milliseconds: number;
  /** ‖Ax−b‖∞ / (ε (‖A‖∞ ‖x‖∞ + ‖b‖∞) n); NaN where something overflowed. */
  readonly residual: number;
  /** Of GMRES; 0 where the factors are in fp64. */
  readonly iterations: number;
  readonly x: Float64Array;
}

/** What {@link measure} is asked. */
export interface MeasureOptions {
  readonly distribution: Distribution;
  /** `float64` is HPL; `float32` is HPL-MxP, whose solution GMRES refines to the same residual. */
  readonly type: FactorType;
  readonly fill?: Fill;
  readonly onProgress?: OnProgress;
}

/** HPL's operations: 2/3 n³ + 3/2 n². HPL-MxP counts the same. */
export function operations(n: number): number {
  return (2 / 3) * n ** 3 + 1.5 * n ** 2;
}

/**
 * Solves Ax = b as one of a team's threads, each of which calls this, and tells the time and the residual.
 *
 * @throws MeanfieldError when A is singular in the factors' precision
 */
export async function measure(engine: Engine, team: LinpackTeam, options: MeasureOptions): Promise<Measurement> {
  const { distribution, type, fill = fillColumns, onProgress } = options;
  const { n } = distribution;
  const matrix = new Blocks(distribution, team.rank, 'float64');
  const fillAll = () => {
    for (const [block, values] of matrix.entries()) {
      fill(values as Float64Array, n, distribution.width(block), distribution.start(block));
    }
  };
  fillAll();
  const factors = type === 'float64' ? matrix : new Blocks(distribution, team.rank, type);
  const b = new Float64Array(n);
  if (matrix.has(distribution.blocks)) b.set(matrix.rows(distribution.blocks) as Float64Array);
  team.sum(b);
  const kernels = new Kernels(engine, type);
  const exact = new Kernels(engine, 'float64');
  const factorizer = new PanelFactorizer(kernels, type, n, Math.min(n, distribution.nb));
  await warmUp(distribution, kernels, type, fillColumns);
  team.barrier();

  const begin = performance.now();
  if (type === 'float32') for (const [block, values] of matrix.entries()) factors.rows(block).set(values);
  const pivots = await factorize(factors, kernels, factorizer, team, onProgress);
  const solver = new FactorSolver(factors, pivots, team, kernels);
  if (factors.has(distribution.blocks)) team.shared.set(factors.rows(distribution.blocks));
  await solver.solveUpper();
  const x = team.shared.slice();
  let iterations = 0;
  if (type === 'float32') iterations = await refine({ matrix, exact, solver, team, b }, x);
  team.barrier();
  const milliseconds = performance.now() - begin;

  await kernels.dispose();
  if (type === 'float64') fillAll();
  const residual = await scaledResidual({ matrix, exact, team, b }, x);
  await exact.dispose();
  return { milliseconds, residual, iterations, x };
}

/**
 * Factors a small matrix of the same remainders, so that the products' shapes are compiled and the loops are optimised
 * before the clock starts, as HPL's programs are compiled before it starts theirs.
 */
async function warmUp({ n, nb }: Distribution, kernels: Kernels, type: FactorType, fill: Fill): Promise<void> {
  const small = n <= 3 * KERNEL_ROWS ? n : KERNEL_ROWS + (n % KERNEL_ROWS);
  const distribution = new Distribution(small, nb, 1);
  const blocks = new Blocks(distribution, 0, type);
  for (const [block, values] of blocks.entries()) {
    fill(values, small, distribution.width(block), distribution.start(block));
  }
  await factorize(blocks, kernels, new PanelFactorizer(kernels, type, small, Math.min(small, nb)), new Alone(small));
}

/** The system as it was given, in fp64, and what multiplies with it. */
interface System {
  readonly matrix: Blocks;
  readonly exact: Kernels;
  readonly team: LinpackTeam;
  readonly b: Float64Array;
}

/** Refines x to HPL's residual by GMRES with the factors as preconditioner, started anew where one pass is not enough. */
async function refine(
  { matrix, exact, solver, team, b }: System & { readonly solver: FactorSolver },
  x: Float64Array,
): Promise<number> {
  const n = b.length;
  const product = new Float64Array(n);
  const norm = infinityNorm(rowSums(matrix, team));
  const precondition = async (values: Float64Array): Promise<void> => {
    team.barrier();
    if (team.rank === 0) team.shared.set(values);
    await solver.solve();
    values.set(team.shared);
  };
  let used = 0;
  for (;;) {
    await multiply(matrix, exact, team, x, product);
    const z = b.map((value, i) => value - product[i]!);
    const scale = EPSILON * (norm * infinityNorm(x) + infinityNorm(b)) * n;
    const residual = infinityNorm(z) / scale;
    // A sixteenth of the bound leaves room between GMRES's estimate, which is preconditioned, and the true residual.
    if (!(residual > RESIDUAL_BOUND / 16) || used >= MOST_ITERATIONS) return used;
    await precondition(z);
    const target = Math.min(0.1, RESIDUAL_BOUND / 64 / residual);
    const { correction, iterations } = await gmres(
      async (v, out) => {
        await multiply(matrix, exact, team, v, out);
        await precondition(out);
      },
      z,
      { iterations: MOST_ITERATIONS - used, done: (relative) => relative <= target },
    );
    if (iterations === 0) return used;
    for (let i = 0; i < n; i++) x[i] = x[i]! + correction[i]!;
    used += iterations;
  }
}

/** HPL's scaled residual of x. */
async function scaledResidual({ matrix, exact, team, b }: System, x: Float64Array): Promise<number> {
  const product = new Float64Array(b.length);
  await multiply(matrix, exact, team, x, product);
  const residual = infinityNorm(b.map((value, i) => product[i]! - value));
  const norm = infinityNorm(rowSums(matrix, team));
  return residual / (EPSILON * (norm * infinityNorm(x) + infinityNorm(b)) * b.length);
}
