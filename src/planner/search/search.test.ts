import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { findFramework } from '../catalogue/frameworks.js';
import { findCluster, findModel } from '../catalogue/index.js';
import { predictStep } from '../step/step.js';
import type { Arrangement } from '../types.js';
import { divisors } from './divisors.js';
import { devices } from './grids.js';
import { searchArrangements } from './search.js';
import { cluster, fixed, framework, knownStep, workload } from './search.test-support.js';
import { strategyOf } from './strategy.js';
import type { Candidate, Predict } from './types.js';

/** Every arrangement of the test's model, by loops that prune nothing. */
function everything(memory: number, accelerators: number): Candidate[] {
  const all: Candidate[] = [];
  const machine = { ...cluster, accelerators };
  for (const tensor of [1, 2, 4].filter((split) => Math.min(4, accelerators) % split === 0))
    for (const pipeline of divisors(12))
      for (const data of divisors(fixed.globalBatch)) {
        if (devices({ data, tensor, pipeline, context: 1 }) > accelerators) continue;
        for (const microBatch of divisors(fixed.globalBatch / data))
          for (const interleave of pipeline === 1 ? [1] : divisors(12 / pipeline)) {
            if (interleave > 1 && (fixed.globalBatch / data / microBatch) % pipeline !== 0) continue;
            for (const zero of data === 1 ? [0] : pipeline > 1 ? [0, 1] : [0, 1, 2, 3])
              for (const offload of ['none', 'optimizer', 'optimizer+parameters'] as const)
                for (const offloadTo of ['host', 'disk'] as const)
                  for (const recompute of ['none', 'selective', 'full'] as const) {
                    if (offload === 'none' && offloadTo === 'disk') continue;
                    const arrangement: Arrangement = {
                      ...{ data, tensor, pipeline, context: 1, expert: 1, microBatch, interleave },
                      ...{ zero: zero as 0 | 1 | 2 | 3, offload, offloadTo, recompute },
                      sequenceParallel: tensor > 1 && fixed.sequence % tensor === 0,
                      ...fixed,
                    };
                    all.push({ arrangement, prediction: knownStep(memory)(workload, machine, arrangement, framework) });
                  }
          }
      }
  return all;
}

const seconds = ({ prediction }: Candidate) => prediction.time.total;

describe('against loops that leave nothing out', () => {
  test('finds the best arrangement, the best of each strategy, and counts the space', () => {
    fc.assert(
      fc.property(fc.integer({ min: 8, max: 34 }), fc.constantFrom(1, 4, 6, 8), (tenths, accelerators) => {
        const memory = 10 ** (tenths / 10 + 6.6);
        const all = everything(memory, accelerators);
        const found = searchArrangements(workload, { ...cluster, accelerators }, framework, fixed, knownStep(memory));
        const fitting = all.filter(({ prediction }) => prediction.fits).sort((a, b) => seconds(a) - seconds(b));
        expect(found.considered).toBe(all.length);
        if (fitting.length === 0) {
          expect(found.best).toBeNull();
          return;
        }
        expect(found.evaluated).toBeLessThan(all.length);
        expect(seconds(found.best!)).toBe(seconds(fitting[0]!));
        const cheaper = (count: number) =>
          Math.min(...fitting.filter(({ arrangement }) => devices(arrangement) <= count).map(seconds));
        const sizes = [1, 2, 3, 4, 6, 8].filter((size) => Math.floor(accelerators / size) * size === accelerators);
        const expected = new Set(sizes.map((size) => cheaper(accelerators / size)).filter(Number.isFinite));
        for (const candidate of found.front) expect(expected).toContain(seconds(candidate));
        expect(found.front.at(-1)!.prediction.time.total).toBe(seconds(found.best!));
        for (const { strategy, ...candidate } of found.strategies) {
          const same = fitting.filter(({ arrangement }) => strategyOf(arrangement) === strategy);
          // One that offloads is compared only where the same arrangement does not fit without.
          if (strategy.endsWith('offload')) expect(seconds(candidate)).toBeGreaterThanOrEqual(seconds(found.best!));
          else if (candidate.prediction.fits) expect(seconds(candidate)).toBe(seconds(same[0]!));
          else expect(same).toEqual([]);
        }
      }),
      { numRuns: 8 },
    );
  });

  test('the alternatives are the best of other grids, best first', () => {
    const found = searchArrangements(workload, cluster, framework, fixed, knownStep(16e9));
    const grid = ({ arrangement: { data, tensor, pipeline } }: Candidate) => `${data} ${tensor} ${pipeline}`;
    const best = new Map<string, number>();
    for (const candidate of everything(16e9, 16)) {
      if (!candidate.prediction.fits) continue;
      best.set(grid(candidate), Math.min(seconds(candidate), best.get(grid(candidate)) ?? Number.POSITIVE_INFINITY));
    }
    const expected = [...best].sort((a, b) => a[1] - b[1]).slice(0, 6);
    expect([found.best!, ...found.alternatives].map((candidate) => [grid(candidate), seconds(candidate)])).toEqual(
      expected,
    );
  });
});

test('stages of unequal layers win where a framework can cut them and nothing divides the layers', () => {
  const odd = { ...findModel('gpt3-175b'), layers: 97 };
  const machine = findCluster('512xa100');
  const sizes = { globalBatch: 1536, sequence: 2048, precision: 'bf16', flashAttention: true } as const;
  const usual = findFramework('default', machine.accelerator.name);
  const search = (unevenStages: boolean) =>
    searchArrangements(odd, machine, { ...usual, habits: { ...usual.habits!, unevenStages } }, sizes, predictStep);
  const [even, uneven] = [search(false), search(true)];
  expect(uneven.considered).toBeGreaterThan(even.considered);
  expect(seconds(uneven.best!)).toBeLessThan(0.97 * seconds(even.best!));
  const { pipeline, interleave } = uneven.best!.arrangement;
  expect([97 % pipeline === 0, interleave]).toEqual([false, 1]);
});

test('a prediction in parts finds what a whole one finds', () => {
  const machine = findCluster('64xa100');
  const sizes = { globalBatch: 512, sequence: 2048, precision: 'fp16', flashAttention: true } as const;
  const software = findFramework('Megatron-LM', machine.accelerator.name);
  const whole: Predict = (...step) => predictStep(...step);
  for (const scope of ['all', 'best'] as const) {
    for (const name of ['gpt3-13b', 'mixtral-8x7b', 'gpt3-175b']) {
      const search = (predict: Predict) =>
        searchArrangements(findModel(name), machine, software, sizes, predict, scope);
      expect(search(predictStep)).toEqual(search(whole));
    }
  }
});

test('the best alone is found with fewer predictions', () => {
  for (const memory of [2e9, 4e9, 16e9]) {
    const search = (scope: 'all' | 'best') =>
      searchArrangements(workload, cluster, framework, fixed, knownStep(memory), scope);
    const [all, best] = [search('all'), search('best')];
    expect(best.best).toEqual(all.best);
    expect(best.evaluated).toBeLessThan(all.evaluated);
    expect(best.considered).toBe(all.considered);
  }
});

describe('what may not be chosen', () => {
  test('a choice of the user is kept', () => {
    const chosen = { ...fixed, tensor: 2, pipeline: 3, microBatch: 4, zero: 1, recompute: 'full' } as const;
    const { best, alternatives } = searchArrangements(workload, cluster, framework, chosen, knownStep(16e9));
    for (const { arrangement } of [best!, ...alternatives]) expect(arrangement).toMatchObject(chosen);
  });

  test('without a network one node is all there is', () => {
    const alone = { ...cluster, interNode: 0 };
    const { best, strategies } = searchArrangements(workload, alone, framework, fixed, knownStep(16e9));
    expect(devices(best!.arrangement)).toBe(4);
    for (const { arrangement } of strategies) expect(devices(arrangement)).toBeLessThanOrEqual(4);
  });

  test('experts are shared by ranks that divide them', () => {
    const experts = { count: 6, active: 2 };
    const { best, strategies } = searchArrangements(
      { ...workload, experts },
      cluster,
      framework,
      fixed,
      knownStep(1e9),
    );
    expect(best).not.toBeNull();
    const used = strategies.map(({ arrangement }) => arrangement.expert);
    expect(used.every((split) => 6 % split === 0)).toBe(true);
    expect(Math.max(...used)).toBeGreaterThan(1);
  });
});
