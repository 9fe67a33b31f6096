import type { Arrangement, Cluster } from '../types.js';
import { divisors } from './divisors.js';
import type { Grid } from './grids.js';
import type { Fixed } from './types.js';

/** Larger micro-batches gain nothing: matrices are wide enough by then. */
const LARGEST_MICRO_BATCH = 64;

/** Where state can go, and where it can go next, nearest first. */
export type Offload = Pick<Arrangement, 'offload' | 'offloadTo'>;

/** How the sequences of a step are cut and the stages interleaved. */
export type PipelineSchedule = Pick<Arrangement, 'microBatch' | 'interleave'>;

/** Schedules of a grid; interleaved ones need a multiple of the stages as micro-batches (arXiv 2104.04473, 2.2). */
export function schedulesOf(grid: Grid, layers: number, fixed: Fixed): PipelineSchedule[] {
  const sequences = fixed.globalBatch / grid.data;
  const [least, most] =
    fixed.microBatch === undefined ? [1, LARGEST_MICRO_BATCH] : [fixed.microBatch, fixed.microBatch];
  // Chunks are of equally many layers.
  const perStage = grid.pipeline === 1 || layers % grid.pipeline !== 0 ? [1] : divisors(layers / grid.pipeline);
  const schedules: PipelineSchedule[] = [];
  for (let microBatch = least; microBatch <= Math.min(most, sequences); microBatch++) {
    if (sequences % microBatch !== 0) continue;
    const whole = (sequences / microBatch) % grid.pipeline === 0;
    for (const interleave of perStage) {
      const isChosen = fixed.interleave === undefined || interleave === fixed.interleave;
      if (isChosen && (interleave === 1 || whole)) schedules.push({ microBatch, interleave });
    }
  }
  return schedules;
}

/**
 * ZeRO stages of a grid. Stages 2 and 3 exclude a pipeline where each micro-batch of a stage would scatter its gradients
 * or gather its parameters anew (DeepSpeed refuses the pair for that reason).
 *
 * @param sharded whether the framework keeps what stage 3 gathered until the step's end, as FSDP can
 */
export function zeroStages(
  { data, context, pipeline }: Grid,
  fixed: Fixed,
  sharded = false,
): readonly (0 | 1 | 2 | 3)[] {
  if (fixed.zero !== undefined) return [fixed.zero];
  if (data * context === 1) return [0];
  if (pipeline === 1) return [0, 1, 2, 3];
  return sharded ? [0, 1, 3] : [0, 1];
}

/** Places for state: the device, the host's memory, the host's disks where it has any. */
export function offloads(cluster: Cluster, fixed: Fixed): readonly Offload[] {
  const places = cluster.host.diskBandwidth === null ? (['host'] as const) : (['host', 'disk'] as const);
  const all: Offload[] = [
    { offload: 'none', offloadTo: 'host' },
    ...places.map((offloadTo) => ({ offload: 'optimizer' as const, offloadTo })),
    ...places.map((offloadTo) => ({ offload: 'optimizer+parameters' as const, offloadTo })),
  ];
  return all.filter(
    ({ offload, offloadTo }) =>
      (fixed.offload === undefined || offload === fixed.offload) &&
      (fixed.offloadTo === undefined || offload === 'none' || offloadTo === fixed.offloadTo),
  );
}
