import type { Arrangement, Cluster, Framework, Workload } from '../types.js';
import { type Offload, offloads, recomputations, type Schedule, schedulesOf, zeroStages } from './choices.js';
import { devices, type Grid, gridsOf } from './grids.js';
import { type Leader, Leaders } from './leaders.js';
import type { Candidate, Fixed, Predict, SearchResult } from './types.js';

/**
 * Goes through every arrangement of a model on a cluster and keeps the fastest of each strategy and grid.
 *
 * Nothing is left out by guess. An arrangement is passed over only when it cannot win: when its FLOP at the datasheet's
 * rate, with its pipeline bubble, already take longer than the best of its strategy and the list of the best; or when
 * the same arrangement fits with less recomputation and without offloading, which only ever add time.
 *
 * @param fixed what may not be chosen: sizes of a step, and the user's own choices
 * @param predict the model of a step
 */
export function searchArrangements(
  workload: Workload,
  cluster: Cluster,
  framework: Framework,
  fixed: Fixed,
  predict: Predict,
): SearchResult {
  const leaders = new Leaders();
  const places = offloads(cluster, fixed);
  const recompute = fixed.recompute === undefined ? recomputations : [fixed.recompute];
  const rate = cluster.accelerator.rates[fixed.precision] ?? Number.POSITIVE_INFINITY;
  let considered = 0;
  let evaluated = 0;
  let modelFlop = 0;

  const evaluate = (arrangement: Arrangement, leader: Leader): boolean => {
    const prediction = predict(workload, cluster, arrangement, framework);
    evaluated++;
    modelFlop = prediction.modelFlop;
    const candidate: Candidate = { arrangement, prediction };
    leader.offer(candidate);
    if (prediction.fits) leaders.rank(candidate);
    return prediction.fits;
  };

  const visit = (grid: Grid, zero: Arrangement['zero'], schedule: Schedule) => {
    const least = (modelFlop / devices(grid) / rate) * bubbleFactor(grid, schedule, fixed);
    // Levels of recomputation that are still worth trying: with more offloaded, only less recomputation can win.
    let levels = recompute.length;
    for (const place of places) {
      if (levels === 0) return;
      const base = arrangementOf(grid, zero, schedule, place, fixed);
      const leader = leaders.of(base);
      if (least >= leader.seconds && least >= leaders.seconds) continue;
      for (let level = 0; level < levels; level++) {
        if (evaluate({ ...base, recompute: recompute[level]! }, leader)) levels = level;
      }
    }
  };

  for (const grid of gridsOf(workload, cluster, fixed)) {
    const stages = zeroStages(grid, fixed);
    const schedules = schedulesOf(grid, workload.layers, fixed);
    considered += stages.length * schedules.length * places.length * recompute.length;
    for (const zero of stages) for (const schedule of schedules) visit(grid, zero, schedule);
  }
  const [best, ...alternatives] = leaders.grids;
  return { best: best ?? null, alternatives, strategies: leaders.strategies(), considered, evaluated };
}

/** How much longer a step takes by the bubble: 1 + (p − 1) / (v m) (arXiv 2104.04473, section 2.2). */
function bubbleFactor({ data, pipeline }: Grid, { microBatch, interleave }: Schedule, { globalBatch }: Fixed): number {
  return 1 + (pipeline - 1) / (interleave * (globalBatch / data / microBatch));
}

function arrangementOf(
  grid: Grid,
  zero: Arrangement['zero'],
  schedule: Schedule,
  place: Offload,
  fixed: Fixed,
): Arrangement {
  return {
    ...grid,
    ...schedule,
    ...place,
    zero,
    recompute: 'none',
    // It sends the same bytes and keeps fewer (arXiv 2205.05198), wherever the sequence can be split.
    sequenceParallel: fixed.sequenceParallel ?? (grid.tensor > 1 && fixed.sequence % grid.tensor === 0),
    precision: fixed.precision,
    globalBatch: fixed.globalBatch,
    sequence: fixed.sequence,
    flashAttention: fixed.flashAttention,
  };
}
