import { UsageError } from '../../base/errors.js';
import { looksLikeFile, readUserJson } from '../../planner/catalogue/json-text.js';
import { describeModel, readCluster } from '../../planner/catalogue/read.js';
import { readLaw } from '../../planner/laws/law-file.js';
import { findLaw, type ScalingLaw } from '../../planner/laws/laws.js';
import type { Planned } from '../../planner/report/planned.js';
import { readCalibration } from '../../planner/run/calibration.js';
import { largestByLaw } from '../../planner/run/largest-model.js';
import { LAW_OPTION, PLAN_OPTIONS } from '../../planner/run/option-table.js';
import type { PlanOptions } from '../../planner/run/options.js';
import { averagingWins, plan } from '../../planner/run/plan.js';
import type { Cluster } from '../../planner/types.js';
import { pickOptions } from '../terminal/add-options.js';
import type { PlanFlags } from './plan-options.js';

/**
 * Makes the plan that the options of `plan` ask for.
 *
 * @param memory gigabytes of this machine that may be taken
 * @throws UsageError for whatever is missing, unknown or cannot be
 */
export async function planFromFlags(flags: PlanFlags, memory?: number): Promise<Planned> {
  const { model, cluster, law } = flags;
  if (cluster === undefined) {
    throw new UsageError(
      'Missing --cluster: a name of `meanfield plan clusters`, NxACCELERATOR such as 64xh100, a JSON file, or `this` machine.',
    );
  }
  const isHere = cluster === HERE;
  if (memory !== undefined && !isHere)
    throw new UsageError('--memory is of this machine: give --cluster this with it, or leave it out.');
  const options = { ...(isHere ? ofOurTrain : {}), ...(await optionsOf(flags)) };
  const { cluster: machine, warnings } = isHere
    ? { cluster: await measured(memory), warnings: [] }
    : await readCluster(cluster);
  const largest = model === undefined ? largestByLaw(machine, options, await lawOf(law)) : null;
  const described = model === undefined ? { model: largest!.model, warnings: [] } : await describeModel(model);
  // The limits were kept with an exchange every step; averaging would cost something else.
  const settled: PlanOptions =
    largest === null
      ? options
      : { ...options, tokens: largest.optimum.tokens, flop: undefined, method: options.method ?? 'data' };
  const planned = plan(described.model, machine, settled);
  return {
    plan: { ...planned, warnings: [...warnings, ...described.warnings, ...planned.warnings] },
    averagingWins: averagingWins(planned),
    largest,
  };
}

/** A law by its name, or that of a file. */
async function lawOf(law: string = LAW_OPTION.default): Promise<ScalingLaw> {
  return looksLikeFile(law) ? readLaw(await readUserJson(law, 'a scaling law'), law) : findLaw(law);
}

/** The cluster that stands for the machine at hand. */
export const HERE = 'this';

/** What `train` does here, and has as its defaults, where the user says nothing else. */
const ofOurTrain: PlanOptions = {
  framework: 'Meanfield',
  globalBatch: 12,
  zero: 0,
  recompute: 'none',
  offload: 'none',
};

async function measured(memory = Number.POSITIVE_INFINITY): Promise<Cluster> {
  const { cluster } = await (await import('../machine/this-machine.js')).measureThisMachine();
  const { accelerator } = cluster;
  return { ...cluster, accelerator: { ...accelerator, memory: Math.min(accelerator.memory, 1e9 * memory) } };
}

/** The options of the plan itself, with the calibration as its file holds it; `plan` checks every value. */
async function optionsOf({ calibration, ...flags }: PlanFlags): Promise<PlanOptions> {
  const own =
    calibration === undefined
      ? {}
      : { calibration: readCalibration(await readUserJson(calibration, 'a calibration'), calibration) };
  return { ...pickOptions(PLAN_OPTIONS, flags), ...own } as PlanOptions;
}
