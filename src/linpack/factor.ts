import type { Blocks } from './blocks.js';
import type { Kernels } from './kernels.js';
import { type PanelFactorizer, type Pivots, swapRows } from './panel.js';
import type { LinpackTeam, Panel } from './team.js';
import { type CutTriangle, cutTriangle, solveUnitLower } from './triangle.js';

/** Hears how far a factorisation is: the share of its operations that is done, from 0 to 1. */
export type OnProgress = (share: number) => void;

/**
 * Right-looking LU factorisation of [A | b] with partial pivoting, in place, by all threads of a team (HPL's algorithm,
 * with one row of processes: blocks of columns dealt out in turn). The owner of the next panel factors it before its
 * other updates, so that the others need not wait for it: a look-ahead of one.
 *
 * Rows that later panels exchange are not exchanged in the earlier ones' L, as in LINPACK: who solves with L exchanges
 * before each panel (see solve.ts). What was b becomes L⁻¹ P b.
 *
 * @returns the pivots of the panels that this thread owns, counted from the panel's first row
 * @throws MeanfieldError when A is singular
 */
export async function factorize(
  blocks: Blocks,
  kernels: Kernels,
  factorizer: PanelFactorizer,
  team: LinpackTeam,
  onProgress: OnProgress = () => {},
): Promise<Map<number, Pivots>> {
  const { distribution } = blocks;
  const { n } = distribution;
  const own = new Map<number, Pivots>();
  const factor = async (block: number): Promise<void> => {
    const row = distribution.start(block);
    const width = distribution.width(block);
    const pivots = new Int32Array(width);
    const factors = blocks.rows(block, row);
    await factorizer.factor(factors, n - row, width, pivots, row);
    own.set(block, pivots);
    team.publish(block, { factors, pivots });
  };
  if (blocks.has(0)) await factor(0);
  for (let block = 0; block < distribution.blocks; block++) {
    const row = distribution.start(block);
    const width = distribution.width(block);
    const panel: Panel = blocks.has(block)
      ? { factors: blocks.rows(block, row), pivots: own.get(block)! }
      : team.receive(block, n - row, width);
    const triangle = cutTriangle(panel.factors, width);
    const update = (target: number) => updateBlock(blocks, kernels, panel, triangle, block, target);
    const next = block + 1;
    if (blocks.has(next)) await update(next);
    if (blocks.has(next) && next < distribution.blocks) await factor(next);
    for (const [target] of blocks.entries()) if (target > next) await update(target);
    onProgress(1 - ((n - row - width) / n) ** 3);
  }
  return own;
}

/** Exchanges, solves and subtracts in one block what a panel to the left of it asks for. */
async function updateBlock(
  blocks: Blocks,
  kernels: Kernels,
  { factors, pivots }: Panel,
  triangle: CutTriangle,
  block: number,
  target: number,
): Promise<void> {
  const { distribution } = blocks;
  const row = distribution.start(block);
  const width = distribution.width(block);
  const columns = distribution.width(target);
  const u = blocks.rows(target, row);
  swapRows(u, columns, pivots, 0, width, 0);
  await solveUnitLower(kernels, triangle, u, columns);
  const below = distribution.n - row - width;
  const l = factors.subarray(width * width);
  await kernels.subtractProduct(u.subarray(width * columns), l, u, below, width, columns);
}
