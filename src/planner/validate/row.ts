import { UsageError } from '../../base/errors.js';
import type { Constants } from '../catalogue/constants.js';
import type { Cells } from '../catalogue/csv.js';
import { predictStep } from '../step/step.js';
import type { Arrangement, StepPrediction } from '../types.js';
import { type DescribedRun, describeRun, predictRun } from './describe.js';
import { Fields } from './fields.js';
import { inPrintedUnit, type PrintedUnit, printedUnits } from './measure.js';

/** A figure beside its prediction; `error` is |predicted / printed − 1| in percent. */
export interface ComparedRow {
  readonly printed: number;
  readonly predicted: number;
  readonly error: number;
}

/** What became of a row. */
export interface RowResult {
  readonly id: string;
  readonly source: string;
  readonly grade: string;
  readonly unit: PrintedUnit | undefined;
  readonly speed: ComparedRow | undefined;
  /** Peak bytes of a device, in GB. */
  readonly memory: ComparedRow | undefined;
  /** Of a run that did not fit: whether it is predicted not to, itself or with a micro-batch of one step more. */
  readonly outOfMemory: 'predicted' | 'within one step' | 'missed' | undefined;
  readonly efficiencySource: 'fitted' | 'default' | undefined;
  readonly pair: string | undefined;
  /** Predicted share of the datasheet's rate. */
  readonly utilization: number | undefined;
  readonly assumptions: readonly string[];
  /** Why nothing was compared. */
  readonly skipped: string | undefined;
}

/** Sources count in GiB (nvidia-smi, PyTorch) where they write GB. */
const GIB = 2 ** 30;

const compare = (printed: number, predicted: number): ComparedRow => ({
  printed,
  predicted,
  error: 100 * Math.abs(predicted / printed - 1),
});

/** Whether rows of a grade count in the mean error: printed, with the configuration or nearly all of it. */
export const isJudged = (grade: string): boolean => /^A-?$/i.test(grade.trim());

/** Whether a row says that its run did not fit. */
const ranOut = (cells: Cells): boolean =>
  ['peak_mem_GB', 'step_time_s', 'tflops_per_accel', 'tokens_per_s_per_accel'].some((column) =>
    /^\s*oom\b/i.test(cells.get(column) ?? ''),
  );

/** Predicts one row from its description and compares what it prints. */
export function predictRow(cells: Cells, constants: Constants): RowResult {
  const fields = new Fields(cells);
  const head = {
    id: fields.text('id').slice(0, 64),
    source: fields.text('source').slice(0, 200) || 'no source',
    grade: fields.text('grade').toUpperCase().slice(0, 8),
  };
  const skip = (reason: string): RowResult => ({
    ...head,
    unit: undefined,
    speed: undefined,
    memory: undefined,
    outOfMemory: undefined,
    efficiencySource: undefined,
    pair: undefined,
    utilization: undefined,
    assumptions: [],
    skipped: reason,
  });
  if (head.grade === 'X') return skip('grade X: not to be used');
  const run = tryDescribe(cells, constants);
  if (typeof run === 'string') return skip(run);
  const { step, arrangement } = predictRun(run, constants);
  if (!Number.isFinite(step.time.total) || !Number.isFinite(step.memory.total)) {
    return skip('its sizes are beyond what can be counted');
  }
  const outOfMemory = ranOut(cells) ? overflow(run, arrangement, step, constants) : undefined;
  const peak = fields.number('peak_mem_GB');
  const memory = peak === undefined ? undefined : compare(peak, step.memory.total / GIB);
  const { unit, speed, reason } = compareSpeed(fields, cells, { ...run, arrangement }, step);
  const nothing = !speed && !memory && !outOfMemory;
  return {
    ...head,
    unit,
    speed,
    memory,
    outOfMemory,
    efficiencySource: run.framework.efficiencySource,
    pair: run.pair,
    utilization: step.utilization,
    assumptions: run.assumptions,
    skipped: nothing ? reason : undefined,
  };
}

function compareSpeed(
  fields: Fields,
  cells: Cells,
  run: DescribedRun,
  step: StepPrediction,
): { unit: PrintedUnit | undefined; speed: ComparedRow | undefined; reason: string } {
  const named = fields.text('printed_unit');
  if (named === '') return { unit: undefined, speed: undefined, reason: 'nothing printed to compare with' };
  const unit = printedUnits.find((known) => known === named);
  if (!unit)
    return {
      unit,
      speed: undefined,
      reason: `printed unit ${JSON.stringify(named.slice(0, 40))} is none of ${printedUnits.join(', ')}`,
    };
  const printed = fields.number(unit);
  if (printed === undefined) return { unit, speed: undefined, reason: `no number in ${unit}` };
  if (
    (unit === 'days' || unit === 'gpu_hours') &&
    run.workload.causal &&
    fields.number('tokens_trained_B') === undefined
  ) {
    return { unit, speed: undefined, reason: `${unit} of a run on an unknown number of tokens` };
  }
  const predicted = inPrintedUnit(unit, cells, run, step);
  return { unit, speed: compare(printed, predicted), reason: '' };
}

/** A row's run, or why it cannot be one: a machine of 10^20 cards is a reason to skip the row, not to stop. */
function tryDescribe(cells: Cells, constants: Constants): DescribedRun | string {
  try {
    return describeRun(cells, constants);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
}

/** How a run that did not fit is predicted; a step is the next power of two. */
function overflow(
  run: DescribedRun,
  arrangement: Arrangement,
  step: StepPrediction,
  constants: Constants,
): NonNullable<RowResult['outOfMemory']> {
  if (!step.fits) return 'predicted';
  const larger = { ...arrangement, microBatch: 2 * arrangement.microBatch };
  const next = predictStep(run.workload, run.cluster, larger, run.framework, constants);
  return next.fits ? 'missed' : 'within one step';
}
