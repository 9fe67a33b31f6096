import { describe, expect, it } from 'vitest';
import { clusterOf, stepOf } from '../../run/run.test-support.js';
import { shapeOf } from '../../run/shape.js';
import type { Arrangement, StepTime } from '../../types.js';
import { finish, record } from '../timeline.js';
import { pipelineOf, simulateStep } from './simulate-step.js';

const workload = shapeOf(13e9);
const plain: Arrangement = {
  data: 8,
  tensor: 1,
  sequenceParallel: false,
  pipeline: 1,
  interleave: 1,
  context: 1,
  expert: 1,
  zero: 0,
  offload: 'none',
  offloadTo: 'host',
  recompute: 'none',
  precision: 'bf16',
  microBatch: 1,
  globalBatch: 256,
  sequence: 2048,
  flashAttention: true,
};

/** A step whose parts are given; the others take no time. */
function step(parts: Partial<Omit<StepTime, 'total'>>) {
  const none = stepOf(1, 256 * 2048, 1e18);
  const time = { ...none.time, matrices: 0, ...parts, total: Object.values(parts).reduce((sum, t) => sum + t, 0) };
  return { ...none, time };
}

describe('simulateStep', () => {
  it('plays a pipeline in the time that was predicted', () => {
    for (const interleave of [1, 2]) {
      const arrangement = { ...plain, pipeline: 8, interleave };
      // m = 32, slots of 0.6 s: a bubble of 7/v of them, and 2 · (32 · v + 7) hops of 1 ms.
      const parts = {
        matrices: 12,
        memoryBound: 2,
        recompute: 4.2,
        tensorCommunication: 1,
        pipelineCommunication: 2 * (32 * interleave + 7) * 0.001,
        pipelineBubble: ((7 / interleave) * 19.2) / 32,
        dataCommunication: 0.5,
        optimizer: 0.1,
      };
      const { kind, predicted, summary } = finish(simulateStep(step(parts), workload, clusterOf(), arrangement));
      expect(kind).toBe('pipeline');
      expect(Math.abs(summary.seconds / predicted - 1)).toBeLessThan(0.001);
      expect(summary.closedForm).toBeCloseTo(summary.seconds, 6);
    }
  });

  it('lets the other stages be faster than the slowest where the bubble says so', () => {
    const arrangement = { ...plain, pipeline: 4 };
    // Slots of 1 s on the slowest stage, 0.85 s in the mean: 0.8 s on the other three.
    const parts = { matrices: 32, pipelineBubble: 3 * 0.85 };
    const spec = pipelineOf(step(parts), arrangement);
    expect(spec.slowness).toEqual([0.8, 0.8, 0.8, 1].map((factor) => expect.closeTo(factor, 9)));
    const { predicted, summary } = finish(simulateStep(step(parts), workload, clusterOf(), arrangement));
    expect(Math.abs(summary.seconds / predicted - 1)).toBeLessThan(0.02);
  });

  it('plays data parallelism as a pipeline of one stage', () => {
    const parts = { matrices: 10, dataCommunication: 1, optimizer: 0.5, offload: 2 };
    const { events, summary } = record(simulateStep(step(parts), workload, clusterOf(), plain));
    expect(summary.summary.seconds).toBeCloseTo(13.5, 9);
    expect(events.filter(({ name }) => name.startsWith('forward'))).toHaveLength(32);
  });

  it('plays ZeRO-3 layer by layer', () => {
    const parts = { matrices: 32, optimizer: 0.5 };
    const arrangement = { ...plain, zero: 3 } as const;
    const run = (intraNode: number) =>
      finish(simulateStep(step(parts), workload, clusterOf({ intraNode }), arrangement));
    const fast = run(450e9);
    expect(fast.kind).toBe('zero');
    // A layer computes for 32 / (32 · 40) s and is gathered in about 1.5 ms: hidden but for the ends.
    expect(Math.abs(fast.summary.seconds / fast.predicted - 1)).toBeLessThan(0.01);
    const slow = run(5e9);
    expect(slow.summary.seconds).toBeGreaterThan(slow.predicted * 3);
    expect(Math.abs(slow.summary.seconds / slow.summary.closedForm! - 1)).toBeLessThan(0.02);
  });

  it('overlaps nothing where the prediction does not', () => {
    const arrangement = { ...plain, zero: 3 } as const;
    const time = (dataCommunication: number) =>
      finish(simulateStep(step({ matrices: 32, dataCommunication }), workload, clusterOf(), arrangement));
    const hidden = time(0);
    expect(hidden.summary.seconds).toBeLessThan(33);
    // 32 micro-batches · 40 layers · 3 exchanges, all of them seen.
    const exchange = hidden.kind === 'zero' ? hidden.summary.communication : Number.NaN;
    const seen = time(exchange);
    expect(Math.abs(seen.summary.seconds / seen.predicted - 1)).toBeLessThan(0.001);
  });

  it('takes noise with a seed', () => {
    const seconds = (seed: number) =>
      finish(simulateStep(step({ matrices: 32 }), workload, clusterOf(), plain, { jitter: 0.2, seed })).summary.seconds;
    expect(seconds(1)).toBe(seconds(1));
    expect(seconds(2)).not.toBe(seconds(1));
  });

  it('refuses what makes no schedule', () => {
    const odd = { ...plain, pipeline: 3, interleave: 2 };
    expect(() => simulateStep(step({ matrices: 1 }), workload, clusterOf(), odd)).toThrow('multiples of the 3 stages');
  });
});
