import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findFramework } from '../catalogue/frameworks.js';
import { findModel } from '../catalogue/index.js';
import type { Arrangement } from '../types.js';
import { predictStep, stepModel } from './step.js';
import { arrangement, gpt3, selene } from './step.test-support.js';

const framework = findFramework('Megatron-LM', 'A100-SXM-80GB');
const predict = (change: Partial<Arrangement> = {}) =>
  predictStep(gpt3, selene, { ...arrangement, ...change }, framework);

describe('predictStep', () => {
  it('lands near the 44 to 52 % of peak that arXiv 2104.04473 measured on such machines, recomputation counted', () => {
    const { hardwareFlop, time } = predict();
    const share = hardwareFlop / time.total / (1024 * 312e12);
    expect(share).toBeGreaterThan(0.36);
    expect(share).toBeLessThan(0.56);
  });

  it('has parts that add up', () => {
    const { time, memory, tokensPerSecond } = predict();
    const { total, ...parts } = time;
    expect(Object.values(parts).reduce((a, b) => a + b)).toBeCloseTo(total, 9);
    const { total: bytes, available, host, ...held } = memory;
    expect(Object.values(held).reduce((a, b) => a + b)).toBeCloseTo(bytes, 0);
    expect([available, host]).toEqual([80e9, 0]);
    expect(tokensPerSecond).toBeCloseTo((1536 * 2048) / total, 6);
  });

  it('answers every change the way the machine does', () => {
    const base = predict();
    expect(predict({ recompute: 'none' }).time.recompute).toBe(0);
    expect(predict({ recompute: 'none' }).memory.total).toBeGreaterThan(base.memory.total);
    expect(predict({ interleave: 4 }).time.pipelineBubble).toBeCloseTo(base.time.pipelineBubble / 4, 6);
    expect(predict({ zero: 0 }).memory.optimizer).toBeCloseTo(16 * base.memory.optimizer, 0);
    expect(predict({ tensor: 16, pipeline: 4 }).time.tensorCommunication).toBeGreaterThan(
      3 * base.time.tensorCommunication,
    );
    expect(predict({ pipeline: 1, data: 128 }).fits).toBe(false);
    expect(base.fits).toBe(true);
  });
});

describe('a model of steps', () => {
  it.each(['gpt3-175b', 'mixtral-8x7b'])(
    'says of %s, asked for many in any order, what each alone comes to',
    (name) => {
      const workload = findModel(name);
      const degree = fc.constantFrom(1, 2, 4, 8);
      const some: fc.Arbitrary<Arrangement> = fc.record({
        ...{ data: degree, tensor: degree, pipeline: degree, context: degree, expert: degree, microBatch: degree },
        interleave: fc.constantFrom(1, 2),
        zero: fc.constantFrom(0, 1, 2, 3),
        offload: fc.constantFrom('none', 'optimizer', 'optimizer+parameters'),
        offloadTo: fc.constantFrom('host', 'disk'),
        recompute: fc.constantFrom('none', 'selective', 'full'),
        precision: fc.constantFrom('fp16', 'bf16'),
        sequence: fc.constantFrom(2048, 4096),
        globalBatch: fc.constantFrom(64, 128),
        sequenceParallel: fc.boolean(),
        flashAttention: fc.boolean(),
      });
      const software = { ...framework, habits: { ...framework.habits!, halfGradients: true } };
      fc.assert(
        fc.property(fc.array(some, { minLength: 2, maxLength: 40 }), (arrangements) => {
          const model = stepModel(workload, selene, software);
          for (const each of arrangements) {
            const found = model.step(each, model.room(each), model.time(each));
            expect(found).toEqual(predictStep(workload, selene, each, software));
          }
        }),
        { numRuns: 100 },
      );
    },
  );
});
