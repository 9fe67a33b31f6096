import { UsageError } from '../../base/errors.js';
import { spelledError } from '../../base/spelling.js';
import { chosenFramework } from '../catalogue/frameworks.js';
import { findLaw, type ScalingLaw } from '../laws/laws.js';
import { computeOptimal, type Optimum } from '../laws/optimum.js';
import { searchArrangements } from '../search/index.js';
import { predictStep } from '../step/step.js';
import type { Cluster, Workload } from '../types.js';
import { calibrated } from './calibration.js';
import { largestRun, secondsUntil } from './largest-run.js';
import { LAW_OPTION } from './option-table.js';
import type { PlanOptions } from './options.js';
import type { RunPlan } from './plan-run.js';
import { chooseRun, runsOf } from './runs.js';
import { shapeOf } from './shape.js';
import { settleSizes } from './sizes.js';

/** The largest compute-optimal model within the limits, GPT-3-like in shape. */
export interface Largest {
  readonly optimum: Optimum;
  readonly model: Workload;
}

/**
 * Finds the largest model that can be trained on as many tokens as a scaling law finds best: with so many FLOP, for so
 * many dollars, or until a date on a cluster.
 *
 * @param law its name
 * @throws UsageError when no limit is given, when it is none, or when not even a small model keeps to it
 */
export function largestModel(cluster: Cluster, options: PlanOptions, law: string = LAW_OPTION.default): Largest {
  return largestByLaw(cluster, options, findLaw(law));
}

/** {@link largestModel} by a law that may have no name. */
export function largestByLaw(cluster: Cluster, options: PlanOptions, scaling: ScalingLaw): Largest {
  const { flop, budgetUsd, until, now } = options;
  if (flop !== undefined) {
    const optimum = computeOptimal({ flop }, scaling);
    return { optimum, model: shapeOf(optimum.parameters) };
  }
  if (budgetUsd === undefined && until === undefined) {
    throw spelledError(UsageError, ({ option }) => {
      const limits = `${option('flop')}, ${option('budgetUsd')} or ${option('until')}`;
      return `Name a model, or a limit for the largest one: ${limits}.`;
    });
  }
  const seconds = until === undefined ? undefined : secondsUntil(until, now ?? Date.now());
  const limit = budgetUsd === undefined ? { seconds: seconds! } : { usd: budgetUsd };
  const found = largestRun(limit, scaling, (parameters, tokens) =>
    runOf(cluster, options, parameters, tokens, seconds),
  );
  if (found === null) {
    throw new UsageError(
      `Not even a model of a million parameters keeps to the limit on ${cluster.name}. Give more time or money.`,
    );
  }
  return { optimum: found.optimum, model: shapeOf(found.optimum.parameters) };
}

function runOf(
  cluster: Cluster,
  options: PlanOptions,
  parameters: number,
  tokens: number,
  seconds: number | undefined,
): RunPlan | null {
  const workload = shapeOf(parameters);
  const framework = chosenFramework(options.framework, cluster.accelerator.name, calibrated(options.calibration));
  const { fixed } = settleSizes(workload, cluster, { ...options, tokens, flop: undefined });
  const { front } = searchArrangements(workload, cluster, framework, fixed, predictStep);
  const runs = runsOf(workload, cluster, front, tokens);
  if (runs.length === 0) return null;
  // With a date the cheapest that ends in time counts; without, the whole cluster is meant.
  const { option, warning } = chooseRun(runs, { seconds });
  return warning === null ? option.run : null;
}
