import { describe, expect, it } from 'vitest';
import { Model } from '../model/model.js';
import { Causal } from '../objectives/causal/causal.js';
import { Masked } from '../objectives/masked/masked.js';
import { memoryNeed, requireMemory } from './memory-need.js';
import { fittingOffload, offloadNeed, RESIDENT, requireOffload } from './offload-need.js';

const sizes = { layers: 6, width: 256, heads: 4, keyValueHeads: 4, context: 32, vocabulary: 20_000 };
const model = Model.create('gpt2', sizes);
const learned = new Causal(model);
const setup = { batchSize: 1, gradAccum: 1, threads: 1 };
const bytes = 4 * model.layout.size;

describe('offloadNeed', () => {
  it('holds parameters and gradient of a model whose moments are on disk, and nothing of one that is', () => {
    const [moments, all] = [offloadNeed(learned, setup, RESIDENT.moments), offloadNeed(learned, setup, RESIDENT.all)];
    expect(moments.resident / bytes).toBeCloseTo(2, 1);
    expect(all.resident).toBe(0);
    // Parameters and moments twice, and a gradient.
    expect(all.disk / bytes).toBeCloseTo(7, 1);
    expect(moments.disk / bytes).toBeCloseTo(6, 1);
    expect(moments.states).toBe(all.states);
  });

  it('grows with the micro-batches of a step in its hidden states alone', () => {
    const [one, four] = [setup, { ...setup, gradAccum: 4 }].map((of) => offloadNeed(learned, of, []));
    expect(four!.states).toBe(4 * one!.states);
    expect(four!.sections).toBe(one!.sections);
  });
});

describe('fittingOffload', () => {
  it('puts no more on disk than it must', () => {
    const need = (resident: (typeof RESIDENT)['all']) => offloadNeed(learned, setup, resident).total;
    const fitting = (available: number) => fittingOffload(learned, setup, available)?.offload;
    expect(fitting(need(RESIDENT.moments))).toBe('moments');
    expect(fitting(need(RESIDENT.moments) - 1)).toBe('all');
    expect(fitting(need(RESIDENT.all) - 1)).toBeUndefined();
  });

  it('knows what cannot be trained layer by layer', () => {
    const masked = new Masked(Model.create('bert', sizes), { context: 32, rate: 0.15, mask: 1, seed: 1 });
    expect(fittingOffload(masked, setup, Number.POSITIVE_INFINITY)).toBeUndefined();
  });
});

describe('refusals', () => {
  it('tell the sum, and what would fit', () => {
    const need = offloadNeed(learned, setup, RESIDENT.moments);
    expect(() => requireOffload(need, need.total)).not.toThrow();
    expect(() => requireOffload(need, need.total - 1)).toThrow(
      /would need about \d+ MB of memory.*for what stays in memory.*`offload: 'all'`.*`force: true`/,
    );
    const whole = {
      ...{ learned, replicas: 1, batchSize: 1, gradAccum: 1, averageMoments: true },
      exchange: 'nothing' as const,
    };
    const refuse = () => requireMemory(whole, memoryNeed(whole), 300e6, () => fittingOffload(learned, setup, 300e6));
    expect(refuse).toThrow(/Layer by layer, with `offload: 'all'`, it would take about \d+ MB, and \d+ MB of disk/);
  });
});
