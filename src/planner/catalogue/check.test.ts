import { expect, it } from 'vitest';
import { UsageError } from '../../base/errors.js';
import type { Accelerator, Cluster } from '../types.js';
import { checkCluster, checkWorkload } from './check.js';
import { clusters, findCluster } from './clusters.js';
import { findModel, models } from './models.js';

const cluster = findCluster('64xh100');
const withCard = (change: Partial<Accelerator>): Cluster => ({
  ...cluster,
  accelerator: { ...cluster.accelerator, ...change },
});

it('passes what can be', () => {
  for (const name of clusters) expect(checkCluster(findCluster(name)).name).toBe(name);
  // One node needs no network; what is not known is null.
  expect(checkCluster({ ...cluster, interNode: 0, price: null }).interNode).toBe(0);
});

it.each<[string, Cluster, RegExp]>([
  [
    'no memory',
    withCard({ memory: 0 }),
    /Expected memory of cluster 64xh100, accelerator H100-SXM to be .*above 0, got 0/,
  ],
  ['a negative bandwidth', withCard({ memoryBandwidth: -3e12 }), /memoryBandwidth .*got -3000000000000/],
  ['a rate that is no number', withCard({ rates: { bf16: Number.NaN } }), /rate in bf16 .*got NaN/],
  ['no rate', withCard({ rates: {} }), /H100-SXM has no rate/],
  ['a text', withCard({ power: '700' as unknown as number }), /power .*got 700/],
  ['half a node', { ...cluster, perNode: 7.5 }, /perNode .*whole number from 1, got 7.5/],
  ['endless links', { ...cluster, intraNode: Number.POSITIVE_INFINITY }, /intraNode .*got Infinity/],
  ['a host without memory', { ...cluster, host: { ...cluster.host, memory: 0 } }, /memory of cluster 64xh100, host/],
  ['a building that makes energy', { ...cluster, powerUsageEffectiveness: 0.9 }, /from 1, got 0.9/],
])('refuses %s', (_, impossible, message) => {
  expect(() => checkCluster(impossible)).toThrow(UsageError);
  expect(() => checkCluster(impossible)).toThrow(message);
});

it('passes every model of the catalogue, and none with a size that cannot be', () => {
  for (const name of models) expect(checkWorkload(findModel(name)).name).toBe(name);
  const gpt2 = findModel('gpt2');
  expect(() => checkWorkload({ ...gpt2, layers: Number.NaN })).toThrow(
    /Expected layers of model gpt2-124m to be a whole number from 1, got NaN/,
  );
  expect(() => checkWorkload({ ...gpt2, hidden: -768 })).toThrow(UsageError);
  expect(() => checkWorkload({ ...gpt2, parameters: Number.POSITIVE_INFINITY })).toThrow(/parameters .*got Infinity/);
});
