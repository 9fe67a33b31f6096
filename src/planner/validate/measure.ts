import type { Cells } from '../catalogue/csv.js';
import { megatronFlop, modelFlopPerToken } from '../catalogue/flop.js';
import type { StepPrediction } from '../types.js';
import type { DescribedRun } from './describe.js';
import { Fields } from './fields.js';
import { tokensOf } from './tokens.js';

/** The columns that a source may have printed a run's speed in. */
export const printedUnits = [
  'step_time_s',
  'tflops_per_accel',
  'tokens_per_s_per_accel',
  'mfu_pct',
  'gpu_hours',
  'days',
] as const;
export type PrintedUnit = (typeof printedUnits)[number];

/** Whether a unit grows as a run gets slower. */
export const isSlowness = (unit: PrintedUnit): boolean =>
  unit === 'step_time_s' || unit === 'gpu_hours' || unit === 'days';

const devicesOf = ({ arrangement: a }: DescribedRun): number => a.data * a.tensor * a.context * a.pipeline;

/** FLOP of a step by the convention in which a source counts them. */
export function conventionFlop(cells: Cells, run: DescribedRun): number {
  const convention = (cells.get('flop_convention') ?? '').toLowerCase();
  const { workload, arrangement } = run;
  const { globalBatch, sequence, recompute } = arrangement;
  if (/8\s*\*?\s*p\s*\*?\s*t/.test(convention)) return 8 * workload.activeParameters * globalBatch * sequence;
  const model = modelFlopPerToken(workload, sequence) * globalBatch * sequence;
  // Where no convention is stated the figure is taken as of the model's own FLOP: ZeRO's of 2020 come out 1.5 times too
  // fast otherwise, those without model parallelism too, which leave nothing else to doubt.
  if (/model|not stated/.test(convention)) return model;
  return recompute === 'full' && !workload.experts ? megatronFlop(workload, globalBatch, sequence) : model;
}

/** The prediction in a row's unit. */
export function inPrintedUnit(unit: PrintedUnit, cells: Cells, run: DescribedRun, step: StepPrediction): number {
  const devices = devicesOf(run);
  const seconds = step.time.total;
  switch (unit) {
    case 'step_time_s':
      return seconds;
    case 'tokens_per_s_per_accel':
      return step.tokensPerSecond / devices;
    case 'tflops_per_accel':
      return conventionFlop(cells, run) / seconds / devices / 1e12;
    case 'mfu_pct':
      return 100 * step.utilization;
    case 'gpu_hours':
    case 'days': {
      const whole = tokensOf(new Fields(cells), run.workload) / step.tokensPerSecond;
      return unit === 'days' ? whole / 86400 : (whole * devices) / 3600;
    }
  }
}
