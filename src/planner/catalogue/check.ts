import { UsageError } from '../../base/errors.js';
import type { Accelerator, Cluster, Workload } from '../types.js';

type Rule = 'positive' | 'zero or more' | 'count' | 'one or more';

const allowed: Readonly<Record<Rule, (value: number) => boolean>> = {
  positive: (value) => value > 0,
  'zero or more': (value) => value >= 0,
  count: (value) => Number.isInteger(value) && value >= 1,
  'one or more': (value) => value >= 1,
};

const wanted: Readonly<Record<Rule, string>> = {
  positive: 'a number above 0',
  'zero or more': 'a number from 0',
  count: 'a whole number from 1',
  'one or more': 'a number from 1',
};

const ofAccelerator: readonly (readonly [keyof Accelerator & string, Rule])[] = [
  ['memory', 'positive'],
  ['memoryBandwidth', 'positive'],
  ['fp64', 'positive'],
  ['scaleUp', 'positive'],
  ['power', 'positive'],
  ['price', 'zero or more'],
];

const ofCluster: readonly (readonly [keyof Cluster & string, Rule])[] = [
  ['accelerators', 'count'],
  ['perNode', 'count'],
  ['intraNode', 'positive'],
  ['interNode', 'zero or more'],
  ['intraLatency', 'zero or more'],
  ['interLatency', 'zero or more'],
  ['hostPower', 'zero or more'],
  ['powerUsageEffectiveness', 'one or more'],
  ['price', 'zero or more'],
  ['nodeMeanTimeBetweenFailures', 'positive'],
  ['storageBandwidth', 'positive'],
];

const ofHost: readonly (readonly [keyof Cluster['host'] & string, Rule])[] = [
  ['cores', 'count'],
  ['memory', 'positive'],
  ['memoryBandwidth', 'positive'],
  ['diskBandwidth', 'positive'],
  ['disk', 'positive'],
  ['link', 'positive'],
];

/**
 * Returns a cluster that can be, in base units; `null` passes where the type allows it.
 *
 * @throws UsageError for a memory of zero, a negative bandwidth, a figure that is no number, a card without rates
 */
export function checkCluster(cluster: Cluster): Cluster {
  const { accelerator, host } = cluster;
  const where = `cluster ${cluster.name}`;
  checkAll(cluster, ofCluster, where);
  checkAll(host, ofHost, `${where}, host`);
  checkAll(accelerator, ofAccelerator, `${where}, accelerator ${accelerator.name}`);
  const rates = Object.entries(accelerator.rates);
  if (rates.length === 0) {
    throw new UsageError(`The accelerator ${accelerator.name} has no rate; give FLOP/s for one format at least.`);
  }
  for (const [format, rate] of [...rates, ...Object.entries(accelerator.measuredRates)]) {
    check(`rate in ${format}`, rate, 'positive', `${where}, accelerator ${accelerator.name}`);
  }
  return cluster;
}

const ofWorkload: readonly (readonly [keyof Workload & string, Rule])[] = [
  ...(['layers', 'hidden', 'heads', 'keyValueHeads', 'headSize', 'feedForward'] as const),
  ...(['vocabulary', 'context', 'parameters', 'activeParameters'] as const),
].map((field) => [field, 'count'] as const);

/**
 * Returns a model that can be.
 *
 * @throws UsageError for a size that is no whole number from 1
 */
export function checkWorkload(workload: Workload): Workload {
  checkAll(workload, ofWorkload, `model ${workload.name}`);
  return workload;
}

function checkAll<T>(record: T, rules: readonly (readonly [keyof T & string, Rule])[], where: string): void {
  for (const [field, rule] of rules) {
    const value = record[field];
    if (value !== null) check(field, value, rule, where);
  }
}

function check(field: string, value: unknown, rule: Rule, where: string): void {
  if (typeof value === 'number' && Number.isFinite(value) && allowed[rule](value)) return;
  throw new UsageError(`Expected ${field} of ${where} to be ${wanted[rule]}, got ${String(value).slice(0, 40)}.`);
}
