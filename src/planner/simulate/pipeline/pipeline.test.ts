import { describe, expect, it } from 'vitest';
import { busySeconds } from '../busy.test-support.js';
import { finish, record, type TimelineEvent } from '../timeline.js';
import { type PipelineSpec, simulatePipeline } from './pipeline.js';

const spec: PipelineSpec = { stages: 4, chunks: 1, microBatches: 8, order: '1f1b', forward: 1, backward: 2 };

describe('simulatePipeline', () => {
  it.each([
    [1, 1, 5],
    [4, 1, 8],
    [8, 1, 8],
    [35, 1, 280],
    [4, 2, 8],
    [8, 4, 32],
    [12, 8, 120],
  ])('has the bubble (p − 1)/(v·m) for p %i, v %i, m %i', (stages, chunks, microBatches) => {
    const one = { ...spec, stages, chunks, microBatches, forward: 1 / chunks, backward: 2 / chunks };
    const { bubble, seconds, closedForm } = finish(simulatePipeline(one));
    expect(bubble).toBeCloseTo((stages - 1) / (chunks * microBatches), 9);
    expect(seconds).toBeCloseTo(closedForm!, 9);
    expect(seconds).toBeCloseTo(3 * microBatches + (3 * (stages - 1)) / chunks, 9);
  });

  it('holds p − i activations on stage i with 1F1B, and all of them with GPipe, at equal time', () => {
    const held = (order: PipelineSpec['order']) => {
      const { stages, seconds } = finish(simulatePipeline({ ...spec, order }));
      expect(seconds).toBe(33);
      return stages.map(({ mostHeld }) => mostHeld);
    };
    expect(held('1f1b')).toEqual([4, 3, 2, 1]);
    expect(held('gpipe')).toEqual([8, 8, 8, 8]);
  });

  it('runs in time: no track does two things at once, and no pass starts before its input', () => {
    const { events, summary, tracks } = record(simulatePipeline({ ...spec, chunks: 2, transfer: 0.1, jitter: 0.2 }));
    const spans = events.filter((event) => event.type === 'span');
    expect(spans).toHaveLength(2 * 4 * 2 * 8);
    for (let track = 0; track < 4; track++) {
      const own = spans.filter((span) => span.track === track).sort((a, b) => a.start - b.start);
      own.reduce((end, { start, end: next }) => {
        expect(start).toBeGreaterThanOrEqual(end);
        return next;
      }, 0);
    }
    for (const { from, to } of events.filter((event) => event.type === 'flow')) {
      expect(spans.some(({ track, end }) => track === from.track && end === from.at)).toBe(true);
      expect(spans.some(({ track, start }) => track === to.track && start === to.at)).toBe(true);
      expect(to.at - from.at).toBeGreaterThanOrEqual(0.1 - 1e-12);
    }
    const busy = busySeconds(tracks, events);
    summary.stages.forEach(({ forward, backward, idle }, i) => {
      expect(forward + backward).toBeCloseTo(busy[i]!, 9);
      expect(forward + backward + idle).toBeCloseTo(summary.seconds, 9);
    });
    expect(summary.closedForm).toBeNull();
  });

  it('pays each transfer there and back once where 1F1B can hide the others', () => {
    // One micro-batch: 4 forward, 4 backward, 6 transfers, nothing to overlap them with.
    const one = { ...spec, microBatches: 1, transfer: 0.5 };
    expect(finish(simulatePipeline(one)).seconds).toBe(4 + 8 + 6 * 0.5);
  });

  it('waits for a slow stage in every micro-batch', () => {
    const slow = finish(simulatePipeline({ ...spec, slowness: [1, 1.5, 1, 1] }));
    // 1 s until its first pass, 8 pairs of 4.5 s, 3 s (5.5 to 8.5) for the first gradients to come back, 2 s after its
    // last pass for stage 0's.
    expect(slow.seconds).toBeCloseTo(1 + 8 * 4.5 + 3 + 2, 9);
    expect(slow.closedForm).toBeNull();
  });

  it('adds what comes after the last pass', () => {
    const { seconds, closedForm, stages } = finish(simulatePipeline({ ...spec, afterwards: 5 }));
    expect(seconds).toBe(38);
    expect(closedForm).toBe(38);
    expect(stages.every(({ afterwards }) => afterwards === 5)).toBe(true);
  });

  it('is the same for the same seed', () => {
    const events = (seed: number): readonly TimelineEvent[] =>
      record(simulatePipeline({ ...spec, jitter: 0.1, seed })).events;
    expect(events(1)).toEqual(events(1));
    expect(events(2)).not.toEqual(events(1));
  });

  it('knows the most events it gives', () => {
    for (const chunks of [1, 2]) {
      const simulation = simulatePipeline({ ...spec, chunks, afterwards: 1 });
      expect(record(simulation).events.length).toBeLessThanOrEqual(simulation.mostEvents);
    }
  });

  it.each([
    [{ forward: 0 }, 'forward pass must be seconds above 0; got 0'],
    [{ backward: Number.POSITIVE_INFINITY }, 'backward pass must be seconds above 0; got Infinity'],
    [{ transfer: -1 }, 'transfer must be seconds from 0; got -1'],
    [{ jitter: 9 }, 'jitter must be from 0 to 3; got 9'],
    [{ slowness: [1, 0] }, 'slowness must be above 0; got 0'],
    [{ microBatches: 1e9 }, 'makes 8000000000 passes a step; at most 4000000'],
    [{ stages: -1 }, 'number of stages must be a whole number from 1; got -1'],
  ])('refuses %j', (over, message) => {
    expect(() => simulatePipeline({ ...spec, ...over })).toThrow(message);
  });
});
