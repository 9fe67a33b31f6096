import { describe, expect, it } from 'vitest';
import { planRun } from './plan-run.js';
import { clusterOf, stepOf } from './run.test-support.js';
import { shapeOf } from './shape.js';

const DAY = 86_400;
const gpt3 = shapeOf(175e9);

describe('planRun', () => {
  it('counts steps, time and cost of a run that nothing stops', () => {
    const plan = planRun(stepOf(10, 4e6, 4e18), gpt3, clusterOf(), { tokens: 1e9 });
    expect(plan).toMatchObject({ steps: 250, tokens: 1e9, flop: 1e21, seconds: 2500, goodput: 1, nodes: 1 });
    expect(plan.checkpoint.everySteps).toBeNull();
    expect(plan.failures.expected).toBe(0);
    expect(plan.acceleratorHours).toBeCloseTo((8 * 2500) / 3600, 9);
    expect(plan.usd).toBeCloseTo((2 * 8 * 2500) / 3600, 9);
    expect(plan.energy.joules).toBeCloseTo(8 * 700 * 2500, 3);
    const byFlop = planRun(stepOf(10, 4e6, 4e18), gpt3, clusterOf(), { flop: 1e21 });
    expect(byFlop).toEqual(plan);
    expect(planRun(stepOf(10, 4e6, 4e18), gpt3, clusterOf({ price: null }), { tokens: 1 })).toMatchObject({
      steps: 1,
      usd: null,
    });
  });

  it('agrees with GPT-3: 3.14e23 FLOP, and the energy that Patterson et al. estimate', () => {
    // 300 billion tokens of 174.6 billion parameters (arXiv 2005.14165, table D.1), batches of 3.2 million tokens.
    const parameters = 174_600_000_000;
    const batch = 3.2e6;
    // arXiv 2104.10350, table 4: 10,000 V100 at 24.6 TFLOP/s, 330 W each with their share of the host, PUE 1.10.
    const flop = 6 * parameters * batch;
    const step = stepOf(flop / (10_000 * 24.6e12), batch, flop);
    const cluster = clusterOf({ accelerators: 10_000, power: 330, powerUsageEffectiveness: 1.1 });
    const plan = planRun(step, { ...gpt3, parameters }, cluster, { tokens: 3e11 });
    expect(plan.flop / 3.14e23).toBeCloseTo(1, 2);
    expect(plan.days).toBeCloseTo(14.8, 1);
    expect(plan.energy.kilowattHours / 1000).toBeGreaterThan(1287 * 0.99);
    expect(plan.energy.kilowattHours / 1000).toBeLessThan(1287 * 1.01);
  });

  it('agrees with Llama 3 405B: 419 interruptions in 54 days, over 90 % of the time effective', () => {
    // arXiv 2407.21783, section 3.3.4: 16,384 H100 in nodes of 8, 419 unexpected interruptions in 54 days.
    const nodeMeanTimeBetweenFailures = (54 * DAY * 2048) / 419;
    expect(nodeMeanTimeBetweenFailures / DAY).toBeCloseTo(263.9, 1);
    const parameters = 405e9;
    const batch = 16e6;
    const flop = 6 * parameters * batch;
    const step = stepOf(flop / (16_384 * 400e12), batch, flop);
    const cluster = clusterOf({ accelerators: 16_384, nodeMeanTimeBetweenFailures, storageBandwidth: 2e12 });
    // As many tokens as fill about 50 days of steps.
    const plan = planRun(step, { ...gpt3, parameters }, cluster, { tokens: 11.65e12 });
    expect(plan.days).toBeGreaterThan(50);
    expect(plan.days).toBeLessThan(58);
    expect((plan.failures.expected / plan.days) * 54).toBeCloseTo(419, 6);
    expect(plan.failures.clusterMeanTime / 3600).toBeCloseTo(3.09, 2);
    expect(plan.goodput).toBeGreaterThan(0.9);
    expect(plan.goodput).toBeLessThan(0.95);
    expect(plan.checkpoint.bytes).toBe(405e9 * 14);
  });

  it('agrees with OPT-175B: some 105 hardware failures of 124 hosts in two months', () => {
    // arXiv 2205.01068, section 2.5: 35 manual and an estimated 70 automatic restarts; 992 A100.
    const nodeMeanTimeBetweenFailures = (60 * DAY * 124) / 105;
    const flop = 6 * 175e9 * 2e6;
    const step = stepOf(flop / (992 * 147e12), 2e6, flop);
    const cluster = clusterOf({ accelerators: 992, nodeMeanTimeBetweenFailures, storageBandwidth: 1e10 });
    const plan = planRun(step, gpt3, cluster, { tokens: 180e9 });
    expect(plan.failures.expected / plan.days).toBeCloseTo(105 / 60, 6);
    // 2.44 TB: their checkpoints went to Azure's blob storage; here 10 GB/s.
    expect(plan.checkpoint.writeSeconds).toBeCloseTo(plan.checkpoint.bytes / 1e10, 9);
    // A failure every 13.7 hours, an interval of 1.36: 5 % writing, 5 % repeated, 1.7 % restarting, to first order.
    expect(plan.goodput).toBeCloseTo(1 / (1 + 0.05 + 0.05 + 0.017), 1.7);
  });

  it('accounts for all of the time, and plans whole steps between checkpoints', () => {
    const cluster = clusterOf({ accelerators: 800, nodeMeanTimeBetweenFailures: 30 * DAY, storageBandwidth: 2e10 });
    const plan = planRun(stepOf(20, 4e6, 4e18), gpt3, cluster, { tokens: 1e11 });
    const { lost, seconds, trainingSeconds, goodput, checkpoint } = plan;
    expect(trainingSeconds + lost.checkpoints + lost.restarts + lost.repeatedWork).toBeCloseTo(seconds, 3);
    expect(goodput).toBeCloseTo(trainingSeconds / seconds, 12);
    expect(Math.min(lost.checkpoints, lost.restarts, lost.repeatedWork)).toBeGreaterThan(0);
    expect(Math.abs(checkpoint.everySteps! * 20 - checkpoint.daly)).toBeLessThanOrEqual(10);
    // To first order a failure repeats half an interval.
    const half = (plan.failures.expected * (checkpoint.everySteps! * 20 + checkpoint.writeSeconds)) / 2;
    expect(lost.repeatedWork / half).toBeGreaterThan(0.9);
    expect(lost.repeatedWork / half).toBeLessThan(1.2);
    // Writers that do not hold the training up allow, and gain by, shorter intervals.
    const asynchronous = planRun(stepOf(20, 4e6, 4e18), gpt3, cluster, { tokens: 1e11 }, { writeStall: 0.05 });
    expect(asynchronous.goodput).toBeGreaterThan(goodput);
    expect(asynchronous.checkpoint.everySteps!).toBeLessThan(checkpoint.everySteps!);
  });

  it('says when a run would never end', () => {
    const cluster = clusterOf({ accelerators: 80_000, nodeMeanTimeBetweenFailures: DAY, storageBandwidth: 1e9 });
    expect(() => planRun(stepOf(20, 4e6, 4e18), gpt3, cluster, { tokens: 1e11 })).toThrow(
      'would never end: one of 10000 nodes fails every 9 s',
    );
  });

  it.each([
    [{ tokens: 0 }, {}, 'tokens must be a number above 0; got 0'],
    [{ flop: Number.NaN }, {}, 'FLOP must be a number above 0; got NaN'],
    [{ tokens: 1 }, { accelerators: 1.5 }, 'accelerators must be a whole number from 1; got 1.5'],
    [{ tokens: 1 }, { writeStall: 2 }, 'share from 0 to 1; got 2'],
    [{ tokens: 1 }, { powerShare: -1 }, 'got -1'],
    [{ tokens: 1 }, { restart: -1 }, 'seconds from 0; got -1'],
    [{ tokens: 1 }, { nodeMeanTimeBetweenFailures: 0 }, 'seconds above 0; got 0'],
  ])('refuses %j with %j', (budget, options, message) => {
    expect(() => planRun(stepOf(1, 1, 1), gpt3, clusterOf(), budget, options)).toThrow(message);
  });
});
