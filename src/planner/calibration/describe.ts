import { predictStep } from '../step.js';
import type { Arrangement, Cluster, Framework, Workload } from '../types.js';
import { arrangementOf, degreesOf } from './arrangement.js';
import type { Constants } from './constants.js';
import type { Cells } from './csv.js';
import { Fields } from './fields.js';
import { defaultsOf, findFramework, frameworkFamily, pairKey } from './frameworks.js';
import { clusterOf } from './machine.js';
import { workloadOf } from './shape.js';

/** A row's run as the planner takes it, and what was assumed where it says nothing. */
export interface Run {
  readonly workload: Workload;
  readonly cluster: Cluster;
  readonly arrangement: Arrangement;
  readonly framework: Framework;
  /** Key of the constant fitted for the framework on the accelerator. */
  readonly pair: string;
  /** Sizes that are not printed, chosen anew as constants change. */
  readonly open: { readonly microBatch: boolean; readonly recompute: boolean };
  readonly assumptions: readonly string[];
}

/**
 * Reads a row's run.
 *
 * @returns the reason, where not even the model's size is known
 */
export function describeRun(cells: Cells, constants: Constants): Run | string {
  const fields = new Fields(cells);
  const sequence = fields.countOr('seq', 2048);
  const workload = workloadOf(fields, sequence);
  if (!workload) return 'neither layers, width nor parameters of the model are given';
  const degrees = degreesOf(fields);
  const cluster = clusterOf(fields, degrees.accelerators);
  const name = fields.text('framework') || fields.assume('framework', 'default');
  const framework = findFramework(name, cluster.accelerator.name, constants);
  const family = frameworkFamily(name);
  if (family === 'default') fields.assumptions.push(`framework ${JSON.stringify(name.slice(0, 40))} unknown, defaults`);
  if (framework.efficiencySource === 'default') {
    fields.assumptions.push(`efficiency ${framework.efficiency} (nothing measured for this framework and accelerator)`);
  }
  const defaults = defaultsOf(name);
  const { arrangement, open } = arrangementOf(fields, workload, cluster, degrees, defaults, sequence);
  const run = {
    workload,
    cluster,
    arrangement,
    framework,
    pair: pairKey(family, cluster.accelerator.name),
    open,
    assumptions: fields.assumptions,
  };
  if (!open.microBatch && !open.recompute) return run;
  const chosen = chooseOpen(run, constants);
  if (open.microBatch) fields.assume('micro_batch', chosen.microBatch);
  if (open.recompute) fields.assume('recompute', chosen.recompute);
  return { ...run, arrangement: chosen };
}

const MICRO_BATCHES = [1, 2, 4, 8, 16, 32] as const;
const RECOMPUTE = ['none', 'selective', 'full'] as const;

/**
 * What those who ran it will have chosen where a row does not say: the fastest micro-batch that divides a rank's
 * share of the batch, and recomputation as the framework does it or, where that does not fit, as little as fits.
 */
export function chooseOpen(run: Run, constants: Constants): Arrangement {
  const { arrangement: a, open } = run;
  const share = a.globalBatch / a.data;
  const sizes = open.microBatch ? MICRO_BATCHES.filter((size) => share % size === 0) : [a.microBatch];
  const from = RECOMPUTE.indexOf(a.recompute);
  let best: Arrangement | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const recompute of open.recompute ? RECOMPUTE.slice(from) : [a.recompute]) {
    for (const microBatch of sizes.length > 0 ? sizes : [1]) {
      const arrangement = { ...a, recompute, microBatch };
      const step = predictStep(run.workload, run.cluster, arrangement, run.framework, constants);
      if (step.fits && step.time.total < least) [best, least] = [arrangement, step.time.total];
    }
    if (best) return best;
  }
  return { ...a, microBatch: 1, recompute: open.recompute ? 'full' : a.recompute };
}
