import { describe, expect, it } from 'vitest';
import type { ClusterStatus, RoundEvent } from '../index.js';
import { createClusterMetrics } from './metrics.js';

const round: RoundEvent = {
  type: 'round',
  step: 50,
  round: 2,
  workers: ['a', 'b'],
  missed: ['c'],
  tokens: 6000,
  loss: 2.5,
  norms: [1, 1.5],
  seconds: { round: 3, train: 2.6, upload: 0.1, wait: 0.2, reduce: 0.04, gather: 0.1, commit: 0.06 },
  bytes: { sent: 1000, received: 2000 },
  utilization: 0.87,
  refusals: 1,
};

const status: ClusterStatus = {
  run: 'r1',
  version: '0.1.0',
  phase: 'training',
  committed: { round: 2, hash: 'ab' },
  round: 3,
  step: 50,
  totalSteps: 100,
  tokens: 12000,
  tokensPerSecond: 2000,
  trainLoss: 2.5,
  valLoss: null,
  waiting: null,
  workers: ['a', 'b', 'c'].map((worker, i) => ({
    worker,
    host: 'h',
    status: i < 2 ? 'ready' : 'joined',
    inRound: null,
    steps: null,
    speed: null,
    tokens: 0,
    rounds: 0,
    bytesSent: 0,
    bytesReceived: 0,
    silentSeconds: 0,
    refused: null,
  })),
  asking: [],
  evicted: [],
  refusals: [],
  data: { epoch: 1, committed: 0.25, leased: 0 },
  seconds: 60,
};

/** Reads the text exposition format: each sample under its name and labels; throws on any other line. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const types = new Set<string>();
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue;
    const type = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line);
    if (type) {
      types.add(type[1]!);
      continue;
    }
    const sample = /^(\w+)(\{(?:\w+="(?:[^"\\\n]|\\.)*",?)*\})? ([-+]?(?:\d[\d.e+-]*|Inf)|nan)$/i.exec(line);
    if (!sample) throw new Error(`no sample: ${line}`);
    const [, name, labels = '', value] = sample;
    expect(types).toContain(types.has(name!) ? name : name!.replace(/_(?:bucket|sum|count)$/, ''));
    expect(samples.has(name! + labels)).toBe(false);
    samples.set(name! + labels, Number(value));
  }
  return samples;
}

describe('metrics of a run', () => {
  it('count what the coordinator tells', async () => {
    const metrics = createClusterMetrics(() => status);
    metrics.observe(round);
    metrics.observe({ ...round, round: 3, loss: 2.25, utilization: 0.9 });
    metrics.observe({ type: 'aborted', round: 4, reason: 'no quorum' });
    metrics.observe({ type: 'refused', worker: 'c', about: 'contribution', code: 'outlier', reason: 'norm' });
    metrics.observe({ type: 'member', worker: 'c', change: 'left', reason: 'silent' });
    metrics.observe({ type: 'evaluation', step: 50, valLoss: 2.75 });
    const samples = parse(await metrics.text());
    expect(samples.get('meanfield_rounds_total{outcome="committed"}')).toBe(2);
    expect(samples.get('meanfield_rounds_total{outcome="aborted"}')).toBe(1);
    expect(samples.get('meanfield_tokens_total')).toBe(12_000);
    expect(samples.get('meanfield_worker_bytes_total{direction="sent"}')).toBe(2000);
    expect(samples.get('meanfield_worker_bytes_total{direction="received"}')).toBe(4000);
    expect(samples.get('meanfield_refusals_total{code="outlier"}')).toBe(1);
    expect(samples.get('meanfield_missed_contributions_total')).toBe(2);
    expect(samples.get('meanfield_member_changes_total{change="left"}')).toBe(1);
    expect(samples.get('meanfield_round_seconds_count')).toBe(2);
    expect(samples.get('meanfield_round_seconds_sum')).toBe(6);
    expect(samples.get('meanfield_round_seconds_bucket{le="2.5"}')).toBe(0);
    expect(samples.get('meanfield_round_seconds_bucket{le="5"}')).toBe(2);
    expect(samples.get('meanfield_round_phase_seconds_sum{phase="train"}')).toBeCloseTo(5.2);
    expect(samples.get('meanfield_round_phase_seconds_count{phase="commit"}')).toBe(2);
    expect(samples.get('meanfield_compute_utilization_ratio')).toBe(0.9);
    expect(samples.get('meanfield_train_loss')).toBe(2.25);
    expect(samples.get('meanfield_validation_loss')).toBe(2.75);
  });

  it('tell what is so now at each scrape', async () => {
    let now: ClusterStatus | undefined = status;
    const metrics = createClusterMetrics(() => now);
    const leading = parse(await metrics.text());
    expect(leading.get('meanfield_leading')).toBe(1);
    expect(leading.get('meanfield_workers{status="ready"}')).toBe(2);
    expect(leading.get('meanfield_workers{status="joined"}')).toBe(1);
    expect(leading.get('meanfield_workers{status="syncing"}')).toBe(0);
    expect(leading.get('meanfield_committed_round')).toBe(2);
    expect(leading.get('meanfield_data_epochs')).toBe(1.25);
    expect(leading.get('meanfield_validation_loss')).toBeNaN();
    now = undefined;
    const standby = parse(await metrics.text());
    expect(standby.get('meanfield_leading')).toBe(0);
    expect(standby.get('meanfield_workers{status="ready"}')).toBe(0);
  });

  it('keep hostile label values within their quotes', async () => {
    const metrics = createClusterMetrics(() => undefined);
    metrics.observe({ type: 'refused', worker: 'x', about: 'join', code: 'a"b\\c\nd 1', reason: '' });
    expect(parse(await metrics.text()).get('meanfield_refusals_total{code="a\\"b\\\\c\\nd 1"}')).toBe(1);
  });

  it('of two runs in one process are apart', async () => {
    const [one, two] = [createClusterMetrics(() => undefined), createClusterMetrics(() => undefined)];
    one.observe(round);
    expect(parse(await two.text()).get('meanfield_tokens_total')).toBe(0);
  });
});
