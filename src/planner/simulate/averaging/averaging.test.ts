import { describe, expect, it } from 'vitest';
import { roundTime } from '../../averaging/round.js';
import { finish, record } from '../timeline.js';
import { simulateAveraging } from './averaging.js';
import type { AveragingSpec, ReplicaSpec } from './spec.js';

const fleet = (count: number, over: (i: number) => Partial<ReplicaSpec> = () => ({})): ReplicaSpec[] =>
  Array.from({ length: count }, (_, i) => ({ stepsPerSecond: 2, up: 12.5e6, down: 12.5e6, ...over(i) }));

/** 25 million parameters in fp32 over 100 Mb/s. */
const spec: AveragingSpec = {
  replicas: fleet(4),
  rounds: 20,
  steps: 100,
  tokensPerStep: 2048,
  contributionBytes: 1e8,
  resultBytes: 1e8,
  latency: 0.02,
};

describe('simulateAveraging', () => {
  it('agrees with the closed form where nothing goes wrong', () => {
    for (const over of [
      {},
      { replicas: fleet(1) },
      { meanTimeBetweenFailures: Number.POSITIVE_INFINITY },
      { replicas: fleet(2), rounds: 1 },
      { replicas: fleet(64), rounds: 3, merge: 1.5, stateBytes: 3e8, storeBandwidth: 1e9 },
      { replicas: fleet(8, () => ({ up: 2e6 })), contributionBytes: 1e7, resultBytes: 1e7 },
    ]) {
      const { seconds, closedForm } = finish(simulateAveraging({ ...spec, ...over }));
      expect(Math.abs(seconds / closedForm! - 1), JSON.stringify(over)).toBeLessThan(1e-9);
    }
  });

  it('agrees with the planner’s own prediction of a round within 2 %', () => {
    const { seconds, utilization, bytes } = finish(simulateAveraging({ ...spec, rounds: 40, latency: 0.001 }));
    const method = { innerSteps: 100, outerPrecision: 'fp32', vectors: 1, fragments: 1, overlapSteps: 0 } as const;
    const round = roundTime(4, 25e6, 0.5, { bandwidth: 12.5e6, latency: 0.001 }, method);
    expect(Math.abs(seconds / 40 / round.seconds - 1)).toBeLessThan(0.02);
    expect(Math.abs(utilization / round.utilization - 1)).toBeLessThan(0.02);
    expect((bytes.contributions + bytes.results) / 40 / 4).toBeCloseTo(round.bytes, 0);
  });

  it('counts every token once', () => {
    const { tokens, goodput, members, contributors, tokensPerSecond, seconds } = finish(simulateAveraging(spec));
    expect(tokens).toEqual({ committed: 20 * 4 * 100 * 2048, computed: 20 * 4 * 100 * 2048 });
    expect(goodput).toBe(1);
    expect([members, contributors]).toEqual([4, 4]);
    expect(tokensPerSecond).toBeCloseTo(tokens.committed / seconds, 9);
  });

  it('lets H follow speed: uneven replicas arrive together, where a fixed H waits for the slowest', () => {
    const replicas = fleet(8, (i) => ({ stepsPerSecond: 1 + (i % 4) }));
    const grace = 1000;
    const adaptive = finish(simulateAveraging({ ...spec, replicas, grace }));
    const fixed = finish(simulateAveraging({ ...spec, replicas, grace, adaptive: false }));
    // The median speed is 2.5 steps a second; the slowest does 1.
    const exchange = (7 / 8) * 16 + 0.08;
    expect(adaptive.seconds / 20 / (100 / 2.5 + exchange)).toBeCloseTo(1, 1.5);
    expect(fixed.seconds / 20 / (100 / 1 + exchange)).toBeCloseTo(1, 1.5);
    expect(adaptive.utilization).toBeGreaterThan(fixed.utilization * 1.5);
  });

  it('leaves a straggler out of the round once the grace is over, and keeps it in the run', () => {
    const straggling = { probability: 0.1, factor: 10 };
    const { rounds, contributors, goodput, seconds } = finish(
      simulateAveraging({ ...spec, replicas: fleet(10), straggling, grace: 20 }),
    );
    expect(rounds).toEqual({ committed: 20, aborted: 0 });
    expect(contributors).toBeGreaterThan(8);
    expect(contributors).toBeLessThan(10);
    expect(goodput).toBeLessThan(1);
    expect(goodput).toBeGreaterThan(0.97);
    // Never slower than steps, exchange and grace; waiting for the straggler would take 500 s a round.
    expect(seconds / 20).toBeLessThan(50 + 14.5 + 20 + 1);
  });

  it('goes on without the dead, and takes them back', () => {
    // Replica 0 fails in the middle of the third round's steps and is back a minute later.
    const calm = finish(simulateAveraging(spec));
    const round = calm.seconds / 20;
    const replicas = fleet(4, (i) => (i === 0 ? { fails: [8 + 2.5 * round] } : {}));
    const { events, summary, tracks } = record(simulateAveraging({ ...spec, replicas, detection: 5, repair: 60 }));
    expect(summary.rounds).toEqual({ committed: 20, aborted: 0 });
    expect(summary.spent.away).toBeCloseTo(60, 6);
    expect(summary.goodput).toBeLessThan(1);
    expect(summary.members).toBeLessThan(4);
    expect(summary.members).toBeGreaterThan(3.8);
    expect(summary.bytes.states).toBe(5e8);
    const track = tracks.findIndex(({ process }) => process === 'replica-0');
    const marks = events.filter((event) => event.type === 'instant' && event.track === track);
    expect(marks.map(({ name }) => name)).toEqual(['join', 'failure', 'join']);
  });

  it('takes in joiners at the next round, and lets leavers go', () => {
    const replicas = fleet(4, (i) => (i === 3 ? { joins: 200 } : i === 2 ? { leaves: 700 } : {}));
    const { summary, events } = record(simulateAveraging({ ...spec, replicas }));
    expect(summary.rounds.committed).toBe(20);
    expect(summary.members).toBeGreaterThan(3);
    expect(summary.members).toBeLessThan(4);
    const starts = events.flatMap((event) =>
      event.type === 'span' && event.track === 5 && event.category === 'train' ? event.start : [],
    );
    expect(starts.length).toBeGreaterThan(10);
    expect(Math.min(...starts)).toBeGreaterThan(200);
  });

  it('survives failures at random, the same for the same seed', () => {
    const stormy = { ...spec, replicas: fleet(8), meanTimeBetweenFailures: 600, detection: 10, repair: 30 };
    const one = record(simulateAveraging(stormy));
    expect(one.summary.rounds.committed).toBe(20);
    expect(one.summary.spent.away).toBeGreaterThan(100);
    expect(one.summary.goodput).toBeGreaterThan(0.8);
    expect(one.summary.goodput).toBeLessThan(1);
    expect(record(simulateAveraging(stormy))).toEqual(one);
    expect(finish(simulateAveraging({ ...stormy, seed: 2 })).seconds).not.toBe(one.summary.seconds);
  });

  it('draws a track for each replica on which one thing happens at a time', () => {
    const { events, tracks, summary } = record(simulateAveraging({ ...spec, jitter: 0.2 }));
    expect(tracks).toHaveLength(6);
    const spans = events.filter((event) => event.type === 'span');
    const seconds = { train: 0, upload: 0, download: 0 };
    for (let track = 2; track < 6; track++) {
      let end = 0;
      for (const span of spans.filter((each) => each.track === track).sort((a, b) => a.start - b.start)) {
        expect(span.start).toBeGreaterThanOrEqual(end);
        end = span.end;
        seconds[span.category as keyof typeof seconds] += span.end - span.start;
      }
    }
    for (const kind of ['train', 'upload', 'download'] as const)
      expect(seconds[kind]).toBeCloseTo(summary.spent[kind], 6);
    expect(spans.filter(({ track }) => track === 0).map(({ name }) => name)).toEqual(
      Array.from({ length: 20 }, (_, i) => `round ${i + 1}`),
    );
  });

  it('says so when no round can be committed', () => {
    const leaving = fleet(3, () => ({ leaves: 10 }));
    expect(() => finish(simulateAveraging({ ...spec, replicas: leaving }))).toThrow(
      /0 of 20 rounds are committed and \d aborted, and no more will be: 0 of 3 replicas are there/,
    );
    // Steps of 50 s; where H follows speed, it halves until they fit.
    const hasty = { ...spec, roundTimeout: 20 };
    expect(() => finish(simulateAveraging({ ...hasty, adaptive: false }))).toThrow(/0 of 20 rounds .* 4 of 4 replicas/);
    expect(finish(simulateAveraging(hasty)).rounds.committed).toBe(20);
  });

  it('refuses what is out of range', () => {
    expect(() => simulateAveraging({ ...spec, steps: 0 })).toThrow('inner steps must be a whole number from 1');
  });
});
