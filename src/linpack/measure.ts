import type { Engine } from '../engine/engine.js';
import { Blocks, Distribution } from './blocks.js';
import { factorize, type OnProgress } from './factor.js';
import { fillColumns } from './generator.js';
import { gmres } from './gmres.js';
import { KERNEL_ROWS, Kernels } from './kernels.js';
import { PanelFactorizer } from './panel.js';
import { FactorSolver, infinityNorm, multiply } from './solve.js';
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
  const factorizer = new PanelFactorizer(kernels, type, n, Math.min(n, distribution.nb));
  await warmUp(distribution, kernels, type, fillColumns);
  team.barrier();

  const begin = performance.now();
  if (type === 'float32') for (const [block, values] of matrix.entries()) factors.rows(block).set(values);
  const pivots = await factorize(factors, kernels, factorizer, team, onProgress);
  const solver = new FactorSolver(factors, pivots, team);
  if (factors.has(distribution.blocks)) team.shared.set(factors.rows(distribution.blocks));
  solver.solveUpper();
  const x = team.shared.slice();
  let iterations = 0;
  if (type === 'float32') iterations = refine(matrix, solver, team, b, x);
  team.barrier();
  const milliseconds = performance.now() - begin;

  await kernels.dispose();
  if (type === 'float64') fillAll();
  return { milliseconds, residual: scaledResidual(matrix, team, b, x), iterations, x };
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

/** Refines x to HPL's residual by GMRES with the factors as preconditioner, started anew where one pass is not enough. */
function refine(matrix: Blocks, solver: FactorSolver, team: LinpackTeam, b: Float64Array, x: Float64Array): number {
  const n = b.length;
  const product = new Float64Array(n);
  const rowSums = new Float64Array(n);
  const precondition = (values: Float64Array): void => {
    team.barrier();
    if (team.rank === 0) team.shared.set(values);
    solver.solve();
    values.set(team.shared);
  };
  let used = 0;
  for (;;) {
    multiply(matrix, team, x, product, used === 0 ? rowSums : undefined);
    const z = b.map((value, i) => value - product[i]!);
    const scale = EPSILON * (infinityNorm(rowSums) * infinityNorm(x) + infinityNorm(b)) * n;
    const residual = infinityNorm(z) / scale;
    // A sixteenth of the bound leaves room between GMRES's estimate, which is preconditioned, and the true residual.
    if (!(residual > RESIDUAL_BOUND / 16) || used >= MOST_ITERATIONS) return used;
    precondition(z);
    const target = Math.min(0.1, RESIDUAL_BOUND / 64 / residual);
    const { correction, iterations } = gmres(
      (v, out) => {
        multiply(matrix, team, v, out);
        precondition(out);
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
function scaledResidual(matrix: Blocks, team: LinpackTeam, b: Float64Array, x: Float64Array): number {
  const product = new Float64Array(b.length);
  const rowSums = new Float64Array(b.length);
  multiply(matrix, team, x, product, rowSums);
  const residual = infinityNorm(b.map((value, i) => product[i]! - value));
  return residual / (EPSILON * (infinityNorm(rowSums) * infinityNorm(x) + infinityNorm(b)) * b.length);
}
