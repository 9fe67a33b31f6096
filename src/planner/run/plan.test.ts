import { describe, expect, test } from 'vitest';
import { UsageError } from '../../base/errors.js';
import { findCluster, findModel } from '../catalogue/index.js';
import type { PlanOptions } from './options.js';
import { averagingWins, compareBandwidths, intervalOf, plan } from './plan.js';

const now = Date.parse('2026-01-01T00:00:00Z');

describe('a plan', () => {
  const planned = plan('llama3-8b', '64xh100', { tokens: 1e11 });

  test('is whole: what fits is arranged, run, and beside it what loses', () => {
    const { search, run, step, method, accelerators } = planned;
    expect(method).toBe('data');
    expect(step).toBe(search.best!.prediction);
    expect(step!.fits).toBe(true);
    expect(accelerators).toBe(64);
    expect(run!.tokens / 1e11).toBeCloseTo(1, 2);
    expect(run!.trainingSeconds).toBeCloseTo(run!.steps * step!.time.total, 3);
    expect(run!.usd).toBeCloseTo(run!.acceleratorHours * planned.cluster.price!, 3);
    // Llama 3 8B on 64 H100 is neither a toy nor a wonder.
    expect(step!.utilization).toBeGreaterThan(0.3);
    expect(step!.utilization).toBeLessThan(0.75);
    expect(search.strategies.length).toBeGreaterThan(4);
    expect(planned.assumptions.length).toBeGreaterThan(2);
  });

  test('takes names or what they stand for', () => {
    const other = plan(findModel('llama3-8b'), findCluster('64xh100'), { tokens: 1e11 });
    expect(other.run).toEqual(planned.run);
  });

  test('shows what more accelerators buy: less time, and no less money', () => {
    const { options } = planned;
    expect(options.map(({ accelerators }) => accelerators)).toEqual([8, 16, 32, 64]);
    for (const [i, { run }] of options.entries()) {
      if (i > 0) expect(run.seconds).toBeLessThan(options[i - 1]!.run.seconds);
    }
  });

  test('compares methods by bandwidth', () => {
    const report = compareBandwidths(planned)!;
    expect(report.curves).toHaveLength(5);
    expect(averagingWins(planned)).toEqual(report.averagingWins);
    // With NVIDIA's 3.2 Tb/s a node averaging gains little.
    expect(report.averagingWins!.to).toBeLessThan(planned.cluster.interNode);
    expect(report.averagingWins!.to).toBeGreaterThan(planned.cluster.interNode / 1000);
    expect(compareBandwidths(plan('gpt2', '8xh100'))).toBeNull();
    expect(compareBandwidths(plan('llama3-8b', '64xh100', { method: 'data' }))).toBeNull();
  });

  test('compares them, and tells intervals, as was asked', () => {
    const points = [0.5, 0.6, 0.7, 0.8, 0.9].map((ratio) => ({
      ...{ source: 'default @ H100-SXM', ratio, year: 2022, devices: 64, parameters: 8e9 },
      ...{ narrow: false, pipeline: false, tensor: false, sharded: false },
    }));
    const asked = {
      tokens: 1e11,
      outerPrecision: 'fp32',
      syncEvery: 10,
      calibration: { efficiency: {}, points },
    } as const;
    const other = plan('llama3-8b', '64xh100', asked);
    expect(other.asked).toEqual(asked);
    // Twice the bytes, more often: a faster network is needed.
    expect(averagingWins(other)?.from ?? Number.POSITIVE_INFINITY).toBeGreaterThan(averagingWins(planned)!.from);
    expect(compareBandwidths(other)!.averagingWins).toEqual(averagingWins(other));
    const { arrangement } = other.options.at(-1)!.candidate;
    expect(intervalOf(other, arrangement)).toEqual(other.options.at(-1)!.interval);
    expect(intervalOf(other, arrangement)).not.toEqual(intervalOf({ ...other, asked: {} }, arrangement));
  });
});

describe('limits', () => {
  test('a budget or a date alone says how many tokens it buys', () => {
    const budget = plan('llama3-8b', '64xh100', { budgetUsd: 1e4, method: 'data' });
    expect(budget.run!.usd).toBeLessThanOrEqual(1e4);
    expect(budget.run!.usd).toBeGreaterThan(0.9e4);
    const date = plan('llama3-8b', '64xh100', { until: '2026-01-08', now, method: 'data' });
    expect(date.run!.days).toBeLessThanOrEqual(7);
    expect(date.run!.days).toBeGreaterThan(6.5);
  });

  test('with tokens they choose the part of the cluster, or are told to be too tight', () => {
    const slow = plan('llama3-8b', '64xh100', { tokens: 1e11, until: '2026-02-01', now, method: 'data' });
    expect(slow.accelerators).toBeLessThan(64);
    expect(slow.warnings).toEqual([]);
    const tight = plan('llama3-8b', '64xh100', { tokens: 1e13, until: '2026-01-02', now, method: 'data' });
    expect(tight.warnings).toEqual([expect.stringMatching(/No arrangement ends in time: the fastest takes/)]);
  });

  test('dollars need a price', () => {
    expect(() => plan('gpt2', 'laptops-16', { budgetUsd: 10 })).toThrow(/needs a price/);
  });
});

describe('methods', () => {
  test('laptops on a slow line average; failures then stop one replica alone', () => {
    const planned = plan('gpt2', 'laptops-16');
    expect(planned.method).toBe('averaging');
    expect(planned.step!.time.total).toBe(planned.averaging!.stepSeconds);
    expect(planned.run!.goodput).toBeGreaterThan(plan('gpt2', 'laptops-16', { method: 'data' }).run!.goodput);
  });

  test('what was asked for is kept', () => {
    const options: PlanOptions = {
      method: 'averaging',
      replicas: 4,
      syncEvery: 50,
      outerPrecision: 'int8',
      moments: 'average',
    };
    const { averaging, method } = plan('gpt2', 'laptops-16', options);
    expect(method).toBe('averaging');
    expect(averaging).toMatchObject({ replicas: 4, method: { innerSteps: 50, outerPrecision: 'int8', vectors: 3 } });
  });

  test('where no two replicas fit, it is a plan of the other method, and says so', () => {
    const { method, averaging, step, warnings } = plan('gpt2', '1xh100', { method: 'averaging' });
    expect([method, averaging]).toEqual(['data', null]);
    expect(step).not.toBeNull();
    expect(warnings).toEqual(['No two replicas of gpt2-124m fit on 1xh100: the plan exchanges gradients every step.']);
  });

  test('where nothing fits the plan says so', () => {
    const none = plan('mt-nlg-530b', '8xh100', { offload: 'none' });
    expect(none).toMatchObject({ method: 'none', step: null, run: null, accelerators: 0, options: [] });
    expect(none.search.best).toBeNull();
    expect(none.search.strategies.length).toBeGreaterThan(3);
  });
});

test.each<[string, string, PlanOptions, RegExp]>([
  ['gpt5', '8xh100', {}, /Unknown model/],
  ['gpt2', 'nowhere', {}, /Unknown cluster/],
  ['gpt2', '8xh100', { tensor: 5 }, /`tensor: 5`/],
  ['gpt2', '8xh100', { tensor: 16 }, /`tensor: 16` cannot be.* node of 8\. Allowed: 1, 2, 4/],
  ['gpt2', '8xh100', { globalBatch: -1 }, /`globalBatch`/],
  ['gpt2', '8xh100', { framework: 'megatrn' }, /Unknown framework "megatrn"/],
  ['gpt2', '8xh100', { globalBatch: 64, replicas: 7 }, /`replicas: 7` cannot be.* Allowed: 2, 4, 8/],
])('%s on %s with %j is refused', (model, cluster, options, expected) => {
  expect(() => plan(model, cluster, options)).toThrow(UsageError);
  expect(() => plan(model, cluster, options)).toThrow(expected);
});

test('an impossible model is refused', () => {
  expect(() => plan({ ...findModel('gpt2'), hidden: Number.NaN }, '8xh100')).toThrow(/hidden of model gpt2-124m/);
});

test('an impossible cluster is refused', () => {
  const cluster = findCluster('8xh100');
  const broken = { ...cluster, accelerator: { ...cluster.accelerator, memory: 0 } };
  expect(() => plan('gpt2', broken)).toThrow(UsageError);
  expect(() => plan('gpt2', { ...cluster, intraNode: Number.NaN })).toThrow(UsageError);
});
