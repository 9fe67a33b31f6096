import type { Arrangement, Cluster, FrameworkHabits, Workload } from '../types.js';
import { type Offload, offloads, recomputations, type Schedule, schedulesOf, zeroStages } from './choices.js';
import { devices, type Grid, gridsOf } from './grids.js';
import type { Leader, Leaders } from './leaders.js';
import type { Fixed } from './types.js';

/** Where the state of a grid is kept, and what is known of the room that this leaves. */
export interface State {
  readonly grid: Grid;
  readonly zero: Arrangement['zero'];
  readonly place: Offload;
  /** The schedule that needs the least memory. */
  readonly smallest: Schedule;
  readonly leader: Leader;
  /** Who leads the same strategy without offloading. */
  readonly plain: Leader;
  /** For disks: the same on the host. */
  readonly onHost: State | undefined;
  /** Of the smallest schedule; undefined: not asked yet. */
  room: Room | undefined;
}

/** Whether an arrangement fits, whether the host is too small for it, and the seconds that offloading adds. */
export interface Room {
  readonly fits: boolean;
  readonly hostFull: boolean;
  readonly offload: number;
}

/** A grid with its schedules and its states: a list for each ZeRO stage, by place. */
export interface Cell {
  readonly devices: number;
  readonly grid: Grid;
  readonly schedules: readonly Schedule[];
  readonly states: readonly (readonly State[])[];
}

/** Every grid with what it can be combined with; together the whole space but for recomputation. */
export function cellsOf(
  workload: Workload,
  cluster: Cluster,
  fixed: Fixed,
  leaders: Leaders,
  habits: Partial<Pick<FrameworkHabits, 'shardedPipeline' | 'unevenStages'>> = {},
): Cell[] {
  const places = offloads(cluster, fixed);
  return gridsOf(workload, cluster, fixed, habits.unevenStages).flatMap((grid) => {
    const schedules = schedulesOf(grid, workload.layers, fixed);
    if (schedules.length === 0) return [];
    const states = zeroStages(grid, fixed, habits.shardedPipeline).map((zero) =>
      statesOf(grid, zero, places, schedules[0]!, leaders),
    );
    return [{ devices: devices(grid), grid, schedules, states }];
  });
}

function statesOf(
  grid: Grid,
  zero: Arrangement['zero'],
  places: readonly Offload[],
  smallest: Schedule,
  leaders: Leaders,
): State[] {
  const { data, tensor, pipeline, context, expert } = grid;
  const leaderOf = (offload: Offload['offload']) =>
    leaders.of({ data, tensor, pipeline, context, expert, zero, offload });
  const plain = leaderOf('none');
  const states: State[] = [];
  for (const place of places) {
    const leader = leaderOf(place.offload);
    const onHost =
      place.offloadTo === 'disk' ? states.find((other) => other.place.offload === place.offload) : undefined;
    states.push({ grid, zero, place, smallest, leader, plain, onHost, room: undefined });
  }
  return states;
}

/** Arrangements of a cell. */
export function sizeOf({ schedules, states }: Cell, fixed: Fixed): number {
  const levels = fixed.recompute === undefined ? recomputations.length : 1;
  return schedules.length * states.length * states[0]!.length * levels;
}

/** The arrangement of a state with a schedule, written out: spreading objects takes longer than predicting a step. */
export function arrangementOf(
  { grid, zero, place }: State,
  schedule: Schedule,
  recompute: Arrangement['recompute'],
  fixed: Fixed,
): Arrangement {
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
