import type { StepRoom } from '../step/step.js';
import { type Arrangement, type Cluster, type Framework, RECOMPUTATIONS, type Workload } from '../types.js';
import { stepBound } from './bound.js';
import { arrangementOf, type Cell, cellsOf, type Room, type State, sizeOf } from './cells.js';
import type { PipelineSchedule } from './choices.js';
import { Front } from './front.js';
import { devices } from './grids.js';
import { type Leader, Leaders } from './leaders.js';
import { type Fixed, modelOf, type Predict, type SearchResult } from './types.js';

/**
 * Goes through every arrangement of a model on a cluster and keeps the fastest of each strategy, grid and number of
 * devices.
 *
 * Nothing is left out by guess. An arrangement is passed over only when it cannot win, because
 * - a bound on its time (see `stepBound`) says that its strategy, the list of the best and as few devices have
 *   something faster already;
 * - the same arrangement fits with less recomputation and without offloading, which only ever add time, or on the host
 *   instead of its disks, which are slower;
 * - it cannot fit: its grid does not with the smallest micro-batch, no interleaving and the most recomputation, which
 *   need the least memory; or its activations alone are too large.
 *
 * @param fixed what may not be chosen: sizes of a step, and the user's own choices
 * @param predict the model of a step
 * @param scope `best` looks for the fastest alone, and tells of others only what it happened to see
 */
export function searchArrangements(
  workload: Workload,
  cluster: Cluster,
  framework: Framework,
  fixed: Fixed,
  predict: Predict,
  scope: 'all' | 'best' = 'all',
): SearchResult {
  const leaders = new Leaders();
  const front = new Front(cluster.accelerators);
  const recompute = fixed.recompute === undefined ? RECOMPUTATIONS : [fixed.recompute];
  const model = modelOf(predict, workload, cluster, framework);
  let evaluated = 0;

  const evaluate = (arrangement: Arrangement, leader: Leader): StepRoom => {
    evaluated++;
    const room = model.room(arrangement);
    if (!room.fits) {
      if (leader.isNearer(room.memory)) leader.offer({ arrangement, prediction: model.step(arrangement, room) });
      return room;
    }
    const time = model.time(arrangement);
    const wins =
      time.total < leader.seconds || time.total < leaders.seconds || time.total < front.secondsAt(devices(arrangement));
    if (wins) {
      const candidate = { arrangement, prediction: model.step(arrangement, room, time) };
      leader.offer(candidate);
      leaders.rank(candidate);
      front.offer(candidate);
    }
    return room;
  };

  const roomOf = (state: State): Room => {
    if (state.room === undefined) {
      const smallest = arrangementOf(state, state.smallest, recompute.at(-1)!, fixed);
      const { fits, memory } = evaluate(smallest, state.leader);
      const offload = fits && state.place.offload !== 'none' ? model.time(smallest).offload : 0;
      state.room = { fits, hostFull: memory.host > cluster.host.memory, offload };
    }
    return state.room;
  };

  const beaten = (state: State, count: number, seconds: number): boolean => {
    if (scope === 'best') return seconds >= leaders.best;
    // Offloading is of interest where nothing of its kind fits without, or is slower.
    if (seconds < state.leader.seconds && seconds < state.plain.seconds) return false;
    return seconds >= leaders.seconds && seconds >= front.secondsAt(count);
  };

  const visit = (cell: Cell, schedule: PipelineSchedule, seconds: number): void => {
    // The levels of recomputation before it keep too many activations, wherever the rest is.
    let first = 0;
    for (const states of cell.states) {
      // With more offloaded, only less recomputation than what fits already can win.
      let levels = recompute.length;
      for (const state of states) {
        if (beaten(state, cell.devices, seconds) || !roomOf(state).fits) continue;
        if (state.onHost !== undefined && !roomOf(state.onHost).hostFull) continue;
        // State crosses the link once a step, parameters once a micro-batch: larger ones divide that at most.
        const offload = (roomOf(state).offload * state.smallest.microBatch) / schedule.microBatch;
        if (offload > 0 && beaten(state, cell.devices, seconds + offload)) continue;
        for (let level = first; level < levels; level++) {
          const arrangement = arrangementOf(state, schedule, recompute[level]!, fixed);
          const { fits, memory } = evaluate(arrangement, state.leader);
          if (fits) levels = level;
          else if (memory.activations + memory.logits > memory.available) first = level + 1;
        }
        if (levels <= first) break;
      }
    }
  };

  const cells = cellsOf(workload, cluster, fixed, leaders, framework.habits);
  const bound = stepBound(workload, cluster, framework, fixed, predict, model);
  const visits = cells.flatMap((cell) =>
    cell.schedules.map((schedule) => ({ cell, schedule, seconds: bound(cell.grid, schedule) })),
  );
  // The most promising first, so that all others have something to beat.
  visits.sort((a, b) => a.seconds - b.seconds);
  for (const { cell, schedule, seconds } of visits) {
    if (scope === 'best') {
      if (seconds >= leaders.best) break;
    } else if (seconds >= leaders.seconds && seconds >= front.secondsAt(cell.devices) && cell.isLed(seconds)) continue;
    visit(cell, schedule, seconds);
  }
  const [best, ...alternatives] = leaders.grids;
  return {
    best: best ?? null,
    alternatives,
    front: front.members,
    strategies: leaders.strategies(),
    considered: cells.reduce((sum, cell) => sum + sizeOf(cell, fixed), 0),
    evaluated,
  };
}
