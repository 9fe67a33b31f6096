import { type Arrangement, type Cluster, type FrameworkHabits, RECOMPUTATIONS, type Workload } from '../types.js';
import { type Offload, offloads, type PipelineSchedule, schedulesOf, zeroStages } from './choices.js';
import { devices, type Grid, gridsOf } from './grids.js';
import type { Leader, Leaders } from './leaders.js';
import type { Fixed } from './types.js';

/** Where the state of a grid is kept, and what is known of the room that this leaves. */
export interface State {
  readonly grid: Grid;
  readonly zero: Arrangement['zero'];
  readonly place: Offload;
  /** The schedule that needs the least memory. */
  readonly smallest: PipelineSchedule;
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

/** Who leads a strategy, and who leads the same one without offloading. */
interface Rivals {
  readonly leader: Leader;
  readonly plain: Leader;
}

/** What grids that split the same things have in common. */
interface Kind {
  readonly stages: readonly Arrangement['zero'][];
  readonly places: readonly Offload[];
  /** By ZeRO stage and place. */
  readonly rivals: readonly (readonly Rivals[])[];
  /** The same, each once: most grids are of one strategy with every ZeRO stage. */
  readonly strategies: readonly Rivals[];
}

/** A grid with its schedules and its states. */
export class Cell {
  readonly devices: number;
  readonly grid: Grid;
  readonly schedules: readonly PipelineSchedule[];
  readonly #kind: Kind;
  #states: readonly (readonly State[])[] | undefined;

  constructor(grid: Grid, schedules: readonly PipelineSchedule[], kind: Kind) {
    this.devices = devices(grid);
    this.grid = grid;
    this.schedules = schedules;
    this.#kind = kind;
  }

  /** A list for each ZeRO stage, by place. Most grids lose before any is asked for. */
  get states(): readonly (readonly State[])[] {
    this.#states ??= this.#kind.stages.map((zero, i) => this.#statesOf(zero, this.#kind.rivals[i]!));
    return this.#states;
  }

  /** States of the cell. */
  get size(): number {
    return this.#kind.stages.length * this.#kind.places.length;
  }

  /** Whether something leads each of its strategies in so many seconds. */
  isLed(seconds: number): boolean {
    for (const { leader, plain } of this.#kind.strategies) {
      if (seconds < leader.seconds && seconds < plain.seconds) return false;
    }
    return true;
  }

  #statesOf(zero: Arrangement['zero'], rivals: readonly Rivals[]): State[] {
    const { grid } = this;
    const states: State[] = [];
    for (const [i, place] of this.#kind.places.entries()) {
      const onHost =
        place.offloadTo === 'disk' ? states.find((other) => other.place.offload === place.offload) : undefined;
      states.push({ grid, zero, place, smallest: this.schedules[0]!, ...rivals[i]!, onHost, room: undefined });
    }
    return states;
  }
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
  const kinds = new Map<number, Kind>();
  const known = new Map<number, readonly PipelineSchedule[]>();
  const cells: Cell[] = [];
  for (const grid of gridsOf(workload, cluster, fixed, habits.unevenStages)) {
    const sizes = grid.data * 2 ** 20 + grid.pipeline;
    let schedules = known.get(sizes);
    if (schedules === undefined) {
      schedules = schedulesOf(grid, workload.layers, fixed);
      known.set(sizes, schedules);
    }
    if (schedules.length === 0) continue;
    const splits = splitsOf(grid);
    let kind = kinds.get(splits);
    if (kind === undefined) {
      kind = kindOf(grid, zeroStages(grid, fixed, habits.shardedPipeline), places, leaders);
      kinds.set(splits, kind);
    }
    cells.push(new Cell(grid, schedules, kind));
  }
  return cells;
}

function kindOf(
  { data, tensor, pipeline, context, expert }: Grid,
  stages: readonly Arrangement['zero'][],
  places: readonly Offload[],
  leaders: Leaders,
): Kind {
  const strategies = new Map<Leader, Rivals>();
  const rivals = stages.map((zero) => {
    const leaderOf = (offload: Offload['offload']) =>
      leaders.of({ data, tensor, pipeline, context, expert, zero, offload });
    const plain = leaderOf('none');
    return places.map(({ offload }) => {
      const own = { leader: leaderOf(offload), plain };
      strategies.set(own.leader, own);
      return own;
    });
  });
  return { stages, places, rivals, strategies: [...strategies.values()] };
}

/** A small number for what a grid splits at all, which decides its strategies and ZeRO stages. */
function splitsOf({ data, tensor, pipeline, context, expert }: Grid): number {
  return (
    (data > 1 ? 1 : 0) + (tensor > 1 ? 2 : 0) + (pipeline > 1 ? 4 : 0) + (context > 1 ? 8 : 0) + (expert > 1 ? 16 : 0)
  );
}

/** Arrangements of a cell. */
export function sizeOf({ schedules, size }: Cell, fixed: Fixed): number {
  const levels = fixed.recompute === undefined ? RECOMPUTATIONS.length : 1;
  return schedules.length * size * levels;
}

/** The arrangement of a state with a schedule, written out: spreading objects takes longer than predicting a step. */
export function arrangementOf(
  { grid, zero, place }: State,
  schedule: PipelineSchedule,
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
