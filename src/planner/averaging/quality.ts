import type { ParametricLaw } from '../laws/parametric.js';
import gaps from './gaps.json' with { type: 'json' };

/**
 * What averaging every H steps costs in quality.
 *
 * @category Planning a machine
 */
export interface QualityCost {
  /** Loss over that of synchronising every step, at equal tokens: 0.01 is one percent more. */
  readonly gap: number;
  /** Whether sizes, replicas or H lie outside what was measured. */
  readonly extrapolated: boolean;
  readonly sources: readonly string[];
}

/** A gap that the published runs are too coarse to show. */
const UNSEEN_GAP = 0.001;

/**
 * The gap in loss that periodic averaging leaves, from published runs: interpolated in the logarithm of the
 * parameters, by the power of table 10 beyond eight replicas, by a power of H away from 30. A gap below 0, which two
 * replicas of large models show, counts as none.
 *
 * @param innerSteps H; 1 is ordinary synchronisation and costs nothing
 */
export function qualityCost(parameters: number, replicas: number, innerSteps: number): QualityCost {
  if (replicas === 1 || innerSteps === 1) return { gap: 0, extrapolated: false, sources: [] };
  const { exponent } = gaps.beyondEight;
  const most = gaps.replicas.at(-1)!;
  const measured = gapOf(parameters, Math.min(replicas, most));
  const beyond = replicas > most ? (replicas / most) ** exponent : 1;
  const cadence = (innerSteps / gaps.innerSteps.measuredAt) ** gaps.innerSteps.exponent;
  // Where averaging costs nothing every 30 steps, it still may where it is rarer: a tenth of a percent at 30 is assumed.
  const gap = Math.max(((1 + measured) * beyond - 1) * cadence, UNSEEN_GAP * (cadence - 1));
  const sources = [gaps.source];
  if (beyond > 1) sources.push(gaps.beyondEight.source);
  if (innerSteps !== gaps.innerSteps.measuredAt) sources.push(gaps.innerSteps.source);
  const sizes = gaps.rows.map((row) => row.parameters);
  const extrapolated =
    parameters < sizes[0]! || parameters > sizes.at(-1)! || replicas > most || innerSteps > 300 || innerSteps < 5;
  return { gap: Math.max(0, gap), extrapolated, sources };
}

/** Gap of 1 to 8 replicas at H = 30, interpolated in ln N and ln M; constant beyond the sizes that were measured. */
function gapOf(parameters: number, replicas: number): number {
  const counts = [1, ...gaps.replicas];
  const upper = counts.findIndex((count) => count >= replicas);
  const above = columnGap(upper - 1, parameters);
  if (counts[upper] === replicas) return above;
  const below = upper === 1 ? 0 : columnGap(upper - 2, parameters);
  const share = Math.log(replicas / counts[upper - 1]!) / Math.log(counts[upper]! / counts[upper - 1]!);
  return below + share * (above - below);
}

/** Of each number of replicas that was measured, gaps by ln N, ascending: a search asks for them by the thousand. */
const columns = gaps.replicas.map((_, column) =>
  gaps.rows.flatMap((row) => {
    const loss = row.losses[column];
    return typeof loss === 'number' ? [[Math.log(row.parameters), loss / row.dataParallel - 1] as const] : [];
  }),
);

function columnGap(column: number, parameters: number): number {
  const points = columns[column]!;
  const x = Math.min(Math.max(Math.log(parameters), points[0]![0]), points.at(-1)![0]);
  const right = Math.max(
    1,
    points.findIndex(([size]) => size >= x),
  );
  const [[x0, y0], [x1, y1]] = [points[right - 1]!, points[right]!];
  return Math.max(0, y0 + ((x - x0) / (x1 - x0)) * (y1 - y0));
}

/**
 * How many times the tokens a run needs to make up for a gap in loss.
 *
 * @returns at least 1; infinite where a model of this size cannot come so low with any number of tokens
 */
export function tokenFactor(gap: number, parameters: number, tokens: number, law: ParametricLaw): number {
  const floor = law.E + law.A / parameters ** law.alpha;
  const reducible = law.B / tokens ** law.beta;
  const needed = (floor + reducible) / (1 + gap) - floor;
  return needed > 0 ? (reducible / needed) ** (1 / law.beta) : Number.POSITIVE_INFINITY;
}
