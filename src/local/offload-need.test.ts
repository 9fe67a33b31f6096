import { describe, expect, it } from 'vitest';
import { Model } from '../model/model.js';
import { Causal } from '../objectives/causal/causal.js';
import { offloadNeed, PLACEMENTS, requireOffload } from './offload-need.js';

const sizes = { layers: 6, width: 256, heads: 4, keyValueHeads: 4, context: 32, vocabulary: 20_000 };
const model = Model.create('gpt2', sizes);
const learned = new Causal(model);
const setup = { batchSize: 1, gradAccum: 1, threads: 1 };
const bytes = 4 * model.layout.size;

describe('offloadNeed', () => {
  it('holds parameters and gradient of a model whose moments are on disk, and nothing of one that is', () => {
    const [moments, all] = [
      offloadNeed(learned, setup, PLACEMENTS.moments),
      offloadNeed(learned, setup, PLACEMENTS.all),
    ];
    expect(moments.resident / bytes).toBeCloseTo(2, 1);
    expect(all.resident).toBe(0);
    // Parameters and moments twice, and a gradient.
    expect(all.disk / bytes).toBeCloseTo(7, 1);
    expect(moments.disk / bytes).toBeCloseTo(6, 1);
    expect(moments.states).toBe(all.states);
  });

  it('grows with the micro-batches of a step in its hidden states alone', () => {
    const [one, four] = [setup, { ...setup, gradAccum: 4 }].map((of) => offloadNeed(learned, of, PLACEMENTS.all));
    expect(four!.states).toBe(4 * one!.states);
    expect(four!.sections).toBe(one!.sections);
    // Two of each micro-batch, and two that come and go.
    const [few, many] = [setup, { ...setup, gradAccum: 4 }].map((of) =>
      offloadNeed(learned, of, PLACEMENTS['all+states']),
    );
    expect([few!.states, many!.states]).toEqual([4, 10].map((states) => 4 * 32 * 256 * states));
    expect((many!.statesDisk - 4096) / (few!.statesDisk - 4096)).toBe(4);
    expect(few!.disk - one!.disk).toBe(few!.statesDisk);
  });
});

describe('refusals', () => {
  it('tell the sum, and what would fit', () => {
    const need = offloadNeed(learned, setup, PLACEMENTS.moments);
    expect(() => requireOffload(need, need.total)).not.toThrow();
    expect(() => requireOffload(need, need.total - 1)).toThrow(
      /would need about \d+ MB of memory.*for what stays in memory.*`offload: 'all'`.*`force: true`/,
    );
  });
});
