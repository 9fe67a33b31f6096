import type { Arrangement, Cluster, Framework, Workload } from '../types.js';
import { stepBound } from './bound.js';
import { type Offload, offloads, recomputations, type Schedule, schedulesOf, zeroStages } from './choices.js';
import { Front } from './front.js';
import { devices, type Grid, gridsOf } from './grids.js';
import { type Leader, Leaders } from './leaders.js';
import type { Candidate, Fixed, Predict, SearchResult } from './types.js';

/**
 * Goes through every arrangement of a model on a cluster and keeps the fastest of each strategy and grid.
 *
 * Nothing is left out by guess. An arrangement is passed over only when it cannot win: when a bound on its time (see
 * `stepBound`) says that its strategy, the list of the best and as few devices have something faster already; when the
 * same arrangement fits with less recomputation and without offloading, which only ever add time; or when its grid does
 * not fit with the smallest micro-batch, no interleaving and the most recomputation, which need the least memory.
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
  const front = new Front();
  const places = offloads(cluster, fixed);
  const recompute = fixed.recompute === undefined ? recomputations : [fixed.recompute];
  let considered = 0;
  let evaluated = 0;

  const evaluate = (arrangement: Arrangement, leader: Leader): boolean => {
    const candidate: Candidate = { arrangement, prediction: predict(workload, cluster, arrangement, framework) };
    evaluated++;
    leader.offer(candidate);
    if (candidate.prediction.fits) {
      leaders.rank(candidate);
      front.offer(candidate);
    }
    return candidate.prediction.fits;
  };

  // A state's room in memory: its smallest schedule with the most recomputation decides.
  const roomy = (state: State): boolean => {
    state.roomy ??= evaluate(
      arrangementOf(state.grid, state.zero, state.smallest, state.place, recompute.at(-1)!, fixed),
      state.leader,
    );
    return state.roomy;
  };

  const visit = ({ cell, schedule, seconds }: Visit) => {
    for (const states of cell.states) {
      // With more offloaded, only less recomputation than what fits already can win.
      let levels = recompute.length;
      for (const state of states) {
        const hopeless = seconds >= state.leader.seconds && seconds >= leaders.seconds;
        if (hopeless && seconds >= front.secondsAt(cell.devices)) continue;
        if (!roomy(state)) continue;
        for (let level = 0; level < levels; level++) {
          const { grid, zero, place } = state;
          if (evaluate(arrangementOf(grid, zero, schedule, place, recompute[level]!, fixed), state.leader))
            levels = level;
        }
        if (levels === 0) break;
      }
    }
  };

  const bound = stepBound(workload, cluster, framework, fixed, predict);
  const visits: Visit[] = [];
  for (const grid of gridsOf(workload, cluster, fixed)) {
    const schedules = schedulesOf(grid, workload.layers, fixed);
    considered += zeroStages(grid, fixed).length * schedules.length * places.length * recompute.length;
    if (schedules.length === 0) continue;
    const states = zeroStages(grid, fixed).map((zero) =>
      places.map((place): State => {
        const leader = leaders.of({ ...grid, zero, offload: place.offload });
        return { grid, zero, place, smallest: schedules[0]!, leader, roomy: undefined };
      }),
    );
    const cell: Cell = { devices: devices(grid), states };
    for (const schedule of schedules) visits.push({ cell, schedule, seconds: bound(grid, schedule) });
  }
  // The most promising first, so that all others have something to beat.
  visits.sort((a, b) => a.seconds - b.seconds);
  for (const each of visits) visit(each);
  const [best, ...alternatives] = leaders.grids;
  return {
    best: best ?? null,
    alternatives,
    front: front.members,
    strategies: leaders.strategies(),
    considered,
    evaluated,
  };
}

/** Where the state of a grid is kept, and whether that leaves room for any schedule. */
interface State {
  readonly grid: Grid;
  readonly zero: Arrangement['zero'];
  readonly place: Offload;
  readonly smallest: Schedule;
  readonly leader: Leader;
  roomy: boolean | undefined;
}

/** A grid with its states: a list for each ZeRO stage, by place. */
interface Cell {
  readonly devices: number;
  readonly states: readonly (readonly State[])[];
}

/** A grid with a schedule, and the seconds that it cannot beat. */
interface Visit {
  readonly cell: Cell;
  readonly schedule: Schedule;
  readonly seconds: number;
}

function arrangementOf(
  grid: Grid,
  zero: Arrangement['zero'],
  schedule: Schedule,
  place: Offload,
  recompute: Arrangement['recompute'],
  fixed: Fixed,
): Arrangement {
  // Written out, since spreading three objects takes longer than predicting a step.
  return {
    data: grid.data,
    tensor: grid.tensor,
    // It sends the same bytes and keeps fewer (arXiv 2205.05198), wherever the sequence can be split.
    sequenceParallel: fixed.sequenceParallel ?? (grid.tensor > 1 && fixed.sequence % grid.tensor === 0),
    pipeline: grid.pipeline,
    interleave: schedule.interleave,
    context: grid.context,
    expert: grid.expert,
    zero,
    offload: place.offload,
    offloadTo: place.offloadTo,
    recompute,
    precision: fixed.precision,
    microBatch: schedule.microBatch,
    globalBatch: fixed.globalBatch,
    sequence: fixed.sequence,
    flashAttention: fixed.flashAttention,
  };
}
