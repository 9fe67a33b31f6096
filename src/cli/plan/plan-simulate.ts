import { UsageError } from '../../base/errors.js';
import type { OptionsOf } from '../../base/option-table.js';
import type { AveragingPlan } from '../../planner/averaging/index.js';
import { snakeCase } from '../../planner/report/plan-json.js';
import type { Planned } from '../../planner/report/planned.js';
import { criticalPathText, summaryText } from '../../planner/report/simulation-text.js';
import {
  type AveragingSpec,
  type ExchangeReport,
  type ExchangeSpec,
  finish,
  type Simulation,
  simulateAveraging,
  simulateExchange,
  simulateStep,
  writeTrace,
} from '../../planner/simulate/index.js';
import { SIMULATION_OPTIONS, STEP_OPTIONS } from '../../planner/simulate/option-table.js';
import { pickOptions } from '../terminal/add-options.js';
import type { Context } from '../terminal/context.js';
import { shellQuote } from '../terminal/format.js';
import { planFromFlags } from './plan-input.js';
import type { PlanFlags, TRACE_FLAGS } from './plan-options.js';

type SimulateFlags = OptionsOf<typeof SIMULATION_OPTIONS>;

/** Plays what the plan chose, and writes the trace where one is asked for. */
export async function simulate(
  { trace, ...flags }: PlanFlags & SimulateFlags & OptionsOf<typeof TRACE_FLAGS>,
  { output }: Context,
): Promise<number> {
  const planned = await planFromFlags(forSchedule(flags, flags.schedule));
  const simulation = simulationOf(planned, flags);
  const summary = trace === undefined ? finish(simulation) : await writeTrace(trace, simulation);
  const { model, cluster } = planned.plan;
  output.event({
    type: 'result',
    model: model.name,
    cluster: cluster.name,
    trace: trace ?? null,
    ...(snakeCase(summary) as object),
  });
  output.text(`\n${model.name} on ${cluster.name}\n\n${summaryText(summary)}`);
  if ('criticalPath' in summary) output.text(criticalPathText((summary as ExchangeReport).criticalPath));
  if (trace !== undefined) {
    output.text(`\nWritten: ${shellQuote(trace)}. Open it at ui.perfetto.dev or chrome://tracing.\n`);
  }
  return 0;
}

/** The options of a plan whose best arrangement has the schedule that was asked for. */
function forSchedule(flags: PlanFlags, schedule: SimulateFlags['schedule']): PlanFlags {
  if (schedule === 'zero') return { ...flags, zero: 3, pipeline: 1, method: 'data' };
  if (schedule === 'pipeline') return { ...flags, method: 'data' };
  return schedule === undefined ? flags : { ...flags, method: 'averaging' };
}

function simulationOf({ plan }: Planned, flags: SimulateFlags): Simulation<object> {
  const { model, cluster, search, averaging, method } = plan;
  const { schedule = method === 'averaging' ? 'averaging' : 'pipeline' } = flags;
  if (schedule === 'averaging' || schedule === 'exchange') {
    if (averaging === null) throw new UsageError(`${cluster.name} holds no two replicas of ${model.name} to average.`);
    return schedule === 'averaging'
      ? simulateAveraging(averagingSpec(averaging, plan, flags))
      : simulateExchange(exchangeSpec(averaging, model.parameters, flags));
  }
  const chosen = plan.options.find((option) => option.run === plan.run)?.candidate ?? search.best;
  if (chosen === null) {
    throw new UsageError(
      `${model.name} fits on ${cluster.name} in no such arrangement. See \`meanfield plan\` for why.`,
    );
  }
  return simulateStep(chosen.prediction, model, cluster, chosen.arrangement, pickOptions(STEP_OPTIONS, flags));
}

function averagingSpec(averaging: AveragingPlan, plan: Planned['plan'], flags: SimulateFlags): AveragingSpec {
  const { replicas, island, inner, method, contribution, link, uneven } = averaging;
  const { rounds, jitter, seed } = SIMULATION_OPTIONS;
  const seconds = inner.prediction.time.total;
  const { globalBatch, sequence } = inner.arrangement;
  const nodes = Math.ceil(island.accelerators / plan.cluster.perNode);
  // A replica that does more steps in the same time is that much faster.
  const speed = (i: number) => (uneven === null ? 1 / seconds : uneven.innerSteps[i]! / uneven.seconds);
  return {
    replicas: Array.from({ length: replicas }, (_, i) => ({
      stepsPerSecond: speed(i),
      up: link.bandwidth,
      down: link.bandwidth,
    })),
    rounds: flags.rounds ?? rounds.default,
    steps: method.innerSteps,
    tokensPerStep: globalBatch * sequence,
    contributionBytes: contribution,
    resultBytes: contribution,
    stateBytes: averaging.outerBytes,
    latency: link.latency,
    meanTimeBetweenFailures: plan.cluster.nodeMeanTimeBetweenFailures / nodes,
    jitter: flags.jitter ?? jitter.default,
    seed: flags.seed ?? seed.default,
  };
}

function exchangeSpec(averaging: AveragingPlan, parameters: number, flags: SimulateFlags): ExchangeSpec {
  const { replicas, contribution, link } = averaging;
  return {
    workers: replicas,
    parameters,
    shards: flags.shards ?? Math.min(replicas, 256),
    bytesPerParameter: contribution / parameters,
    lines: [{ share: 1, up: link.bandwidth, down: link.bandwidth }],
    latency: link.latency,
    seed: flags.seed ?? SIMULATION_OPTIONS.seed.default,
  };
}
