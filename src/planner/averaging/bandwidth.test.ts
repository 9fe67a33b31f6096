import { describe, expect, test } from 'vitest';
import { searchArrangements } from '../search/search.js';
import { cluster, fixed, framework, knownStep, workload } from '../search/search.test-support.js';
import type { Predict } from '../search/types.js';
import { bandwidthCurves, type Comparison, crossover, GAIN } from './bandwidth.js';
import { chooseAveraging } from './choose.js';

/** The known step, with an exchange between nodes of 4 bytes a parameter that nothing hides. */
const predict: Predict = (model, machine, arrangement, software) => {
  const known = knownStep(16e9)(model, machine, arrangement, software);
  const wide = arrangement.data * arrangement.tensor * arrangement.pipeline > machine.perNode;
  const exchange = wide ? (4 * model.parameters) / machine.interNode : 0;
  const total = known.time.total + exchange;
  const time = { ...known.time, dataCommunication: known.time.dataCommunication + exchange, total };
  return { ...known, time, utilization: (known.utilization * known.time.total) / total };
};

const request = {
  method: { outerPrecision: 'bf16', vectors: 1, fragments: 1, overlapSteps: 0 },
  spread: 1,
  tokens: 2.48e9,
  law: { E: 1.8172, A: 482.01, B: 2085.43, alpha: 0.3478, beta: 0.3658 },
} as const;

function comparison(machine = cluster): Comparison {
  const { front, alternatives } = searchArrangements(workload, machine, framework, fixed, predict);
  const averaging = chooseAveraging(workload, machine, framework, fixed, request, predict)!;
  return {
    workload,
    cluster: machine,
    framework,
    everyStep: [...front, ...alternatives],
    replicas: averaging.tried,
    request,
    innerSteps: 30,
    predict,
  };
}

describe('curves', () => {
  const curves = bandwidthCurves(comparison());

  test('rise with the bandwidth, for every method', () => {
    expect(curves.map(({ method }) => method)).toEqual([
      'every step',
      'every 30 steps, fp32',
      'every 30 steps, bf16',
      'every 30 steps, int8',
      'every 30 steps, int4, streaming',
    ]);
    for (const { points } of curves) {
      expect(points[0]!.bandwidth).toBe(1.25e5);
      expect(points.at(-1)!.bandwidth).toBeCloseTo(1.25e12, -6);
      expect(points.at(-1)!.utilization).toBeGreaterThan(points[0]!.utilization);
      for (const { utilization } of points) expect(utilization).toBeGreaterThan(0);
    }
  });

  test('of fewer bytes lie higher on a slow line', () => {
    const at = (i: number) => curves.map(({ points }) => points[i]!.utilization);
    const [, fp32, bf16, int8, int4] = at(30);
    expect(fp32!).toBeLessThan(bf16!);
    expect(bf16!).toBeLessThan(int8!);
    expect(int8!).toBeLessThan(int4!);
    // Somewhere between one node by itself and a network that is fast enough for all, averaging uses the cluster best.
    const gain = curves[0]!.points.map(({ utilization }, i) => curves[2]!.points[i]!.utilization / utilization);
    expect(Math.max(...gain)).toBeGreaterThan(1.2);
  });
});

describe('the crossover', () => {
  test('is where both come to the same loss at the same time', () => {
    const compared = comparison();
    const { from, to } = crossover(compared)!;
    const seconds = (at: number) => {
      const machine = { ...cluster, interNode: at };
      const every = Math.min(
        ...compared.everyStep.map(({ arrangement }) => predict(workload, machine, arrangement, framework).time.total),
      );
      return chooseAveraging(workload, machine, framework, fixed, request, predict)!.equalLossSeconds / every;
    };
    for (const end of [from, to]) expect(Math.abs(seconds(end) / GAIN - 1)).toBeLessThan(0.15);
    expect(seconds(Math.sqrt(from * to))).toBeLessThan(GAIN);
  });

  test('is nowhere for a method that never wins', () => {
    const hopeless = { ...comparison(), request: { ...request, law: { ...request.law, B: 1e-6 } } };
    expect(crossover(hopeless)).toBeNull();
  });
});
