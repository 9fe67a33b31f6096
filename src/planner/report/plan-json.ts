import { devices } from '../search/index.js';
import type { Candidate } from '../search/types.js';
import type { Planned } from './planned.js';
import { reasonLost } from './reason.js';

/** The result line of `plan --json`: keys in snake case, base units. Infinite figures become null. */
export function planJson({ plan, averagingWins, largest }: Planned): object {
  const { model, cluster, search, averaging, step, run, options } = plan;
  const candidate = ({ arrangement, prediction }: Candidate) => ({
    devices: devices(arrangement),
    fits: prediction.fits,
    seconds: prediction.time.total,
    memory: prediction.memory.total,
    utilization: prediction.utilization,
    arrangement,
  });
  const chosen = plan.method === 'averaging' ? averaging!.inner.arrangement : (optionOf(plan)?.arrangement ?? null);
  const result = {
    type: 'result',
    model: model.name,
    parameters: model.parameters,
    cluster: cluster.name,
    fits: step !== null,
    method: plan.method,
    accelerators: plan.accelerators,
    arrangement: chosen,
    memory: step?.memory ?? null,
    time: step?.time ?? null,
    tokensPerSecond: step?.tokensPerSecond ?? null,
    utilization: step?.utilization ?? null,
    tokens: plan.tokens,
    run,
    interval: plan.interval,
    loss: plan.loss,
    largest: largest?.optimum ?? null,
    averaging:
      averaging === null
        ? null
        : {
            replicas: averaging.replicas,
            acceleratorsPerReplica: averaging.island.accelerators,
            arrangement: averaging.inner.arrangement,
            method: averaging.method,
            round: averaging.round,
            uneven: averaging.uneven,
            quality: averaging.quality,
            tokenFactor: averaging.tokenFactor,
            stepSeconds: averaging.stepSeconds,
            equalLossSeconds: averaging.equalLossSeconds,
          },
    averagingWins,
    alternatives: search.alternatives.map((each) => ({ ...candidate(each), reason: reasonLost(each, search.best) })),
    strategies: search.strategies.map((each) => ({
      strategy: each.strategy,
      ...candidate(each),
      reason: reasonLost(each, search.best),
    })),
    front: options.map((option) => ({
      accelerators: option.accelerators,
      days: option.run.days,
      usd: option.run.usd,
      interval: option.interval,
      utilization: option.candidate.prediction.utilization,
    })),
    considered: search.considered,
    evaluated: search.evaluated,
    framework: {
      name: plan.framework.name,
      efficiency: plan.framework.efficiency,
      source: plan.framework.efficiencySource,
    },
    assumptions: plan.assumptions,
    warnings: plan.warnings,
  };
  return snakeCase(result) as object;
}

function optionOf({ options, run, search }: Planned['plan']): Candidate | null {
  return options.find((option) => option.run === run)?.candidate ?? search.best;
}

/** A value with its keys as `tokens_per_second`; what is without limit, which JSON cannot say, is null. */
export function snakeCase(value: unknown): unknown {
  if (value === Number.POSITIVE_INFINITY) return null;
  if (Array.isArray(value)) return value.map(snakeCase);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      snakeCase(inner),
    ]),
  );
}
