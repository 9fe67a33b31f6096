import { describe, expect, it } from 'vitest';
import { Model } from '../model/model.js';
import { Causal } from '../objectives/causal/causal.js';
import { Masked } from '../objectives/masked/masked.js';
import { parseTrainOptions, type TrainOptions } from '../run/options.js';
import { MOMENTS_PRECISIONS } from '../training/optimizers.js';
import { memoryNeed, requireMemory } from './memory-need.js';
import { offloadNeed, PLACEMENTS } from './offload-need.js';
import { streamedBaseNeed } from './streamed-base-need.js';
import { layeredWays, wholeWays } from './ways.js';

const sizes = { layers: 6, width: 256, heads: 4, keyValueHeads: 4, context: 32, vocabulary: 20_000 };
const model = Model.create('gpt2', sizes);
const learned = new Causal(model);
const whole = {
  ...{ learned, replicas: 1, threads: 1, batchSize: 1, gradAccum: 1, averageMoments: true },
  exchange: 'nothing' as const,
};
const layered = (options: Partial<TrainOptions> = {}, changes: object = {}) =>
  layeredWays(parseTrainOptions({ corpus: ['a.txt'], ...options }), { ...whole, ...changes });
const bytes = 4 * model.layout.size;

describe('wholeWays', () => {
  it('keeps all activations, or makes cheap ones twice in less memory and more time', () => {
    const [plain, twice] = [...wholeWays({ ...whole, batchSize: 16 })];
    expect([plain!.recompute, twice!.recompute]).toEqual([false, true]);
    expect(twice!.total).toBeLessThan(plain!.total);
    expect(twice!.factor).toBeGreaterThan(plain!.factor);
    const sum = (way: typeof plain) => way!.terms.reduce((all, [term]) => all + term, 0);
    expect(sum(plain)).toBeCloseTo(memoryNeed({ ...whole, batchSize: 16, recompute: false }).total, -2);
    // The sum, and a tenth to spare.
    expect(plain!.total / sum(plain)).toBeCloseTo(1.1, 6);
  });

  it('has one way for a run that has begun, and for a base in few bits', () => {
    expect([...wholeWays({ ...whole, recompute: false })].map(({ recompute }) => recompute)).toEqual([false]);
    const few = new Causal(model.adapt({ rank: 2, alpha: 4 }, 'int4'));
    expect([...wholeWays({ ...whole, learned: few })].map(({ recompute }) => recompute)).toEqual([true]);
  });

  it('keeps moments in fewer bits where that is left to it, the faster first', () => {
    const ways = [...wholeWays(whole, { keeping: MOMENTS_PRECISIONS })];
    expect(ways.map(({ recompute, momentsPrecision }) => [recompute, momentsPrecision])).toEqual([
      [false, undefined],
      [false, 'bf16'],
      [true, undefined],
      [false, 'int8'],
      [true, 'bf16'],
      [true, 'int8'],
    ]);
    const [fp32, bf16, , int8] = ways;
    // Both moments, and those of a checkpoint, with what is to spare.
    expect((fp32!.total - bf16!.total) / bytes).toBeCloseTo(1.1 * 2, 3);
    expect((fp32!.total - int8!.total) / bytes).toBeCloseTo(1.1 * (4 - 4 * (1 + 1 / 64) * 0.25), 3);
    const [untraced, ...traced] = [...wholeWays(whole, { keeping: MOMENTS_PRECISIONS, most: bf16!.total })];
    expect([untraced!.whole, untraced!.momentsPrecision]).toEqual([false, undefined]);
    expect(traced.map(({ whole: all, momentsPrecision }) => [all, momentsPrecision])).toEqual([
      [true, 'bf16'],
      [true, 'int8'],
      [true, 'bf16'],
      [true, 'int8'],
    ]);
  });

  it('traces nothing of a model whose vectors alone are too large', () => {
    const [way, ...others] = [...wholeWays(whole, { most: 5 * bytes })];
    expect([way!.whole, others]).toEqual([false, []]);
    expect(way!.total).toBeGreaterThan(7 * bytes);
  });
});

describe('layeredWays', () => {
  it('are the moments on disk, then everything, then states too: less memory, and more that a step moves', () => {
    const [moments, all, states] = layered();
    expect([moments!.offload, all!.offload, states!.offload]).toEqual(['moments', 'all', 'all+states']);
    expect(moments!.total / offloadNeed(learned, whole, PLACEMENTS.moments).total).toBeCloseTo(1.2, 4);
    expect(all!.total).toBeLessThan(moments!.total);
    expect([moments!.stepDisk, all!.stepDisk]).toEqual([4 * bytes, 9 * bytes]);
    expect(states!.total).toBeLessThan(all!.total);
    // Written once and read once; on disk there is a page to try memory with as well.
    expect(states!.stepDisk - all!.stepDisk).toBe(2 * (states!.disk - all!.disk));
    const few = layered({}, { optimizer: { moments: { precision: 'bf16', seed: 1 } } });
    expect(few.slice(0, 2).map(({ stepDisk }) => stepDisk / bytes)).toEqual([2, 7]);
    // Moments twice over, in half the bytes.
    expect((all!.disk - few[1]!.disk) / bytes).toBeCloseTo(2, 1);
  });

  it('counts a model that is read as a whole at the start', () => {
    const [fresh, from] = [layered(), layered({ from: 'runs/a' }, { read: true })];
    expect(from.map((way, i) => ((way.total - fresh[i]!.total) / bytes).toFixed(3))).toEqual([
      '1.200',
      '1.500',
      '1.500',
    ]);
  });

  it('has the base of an adapter read from its files, and no other way', () => {
    const adapted = new Causal(model.adapt({ rank: 2, alpha: 4 }));
    const ways = layered({ from: 'runs/a', adapter: 'lora' }, { learned: adapted });
    expect(ways.map(({ offload, disk }) => [offload, disk])).toEqual([['all', 0]]);
    expect(ways[0]!.total / streamedBaseNeed(adapted, whole).total).toBeCloseTo(1.5, 4);
  });

  it('are none for what cannot be trained so, and says why', () => {
    const masked = new Masked(Model.create('bert', sizes), { context: 32, rate: 0.15, mask: 1, seed: 1 });
    const reasons: string[] = [];
    const options = parseTrainOptions({ corpus: ['a.txt'] });
    expect(layeredWays(options, { ...whole, learned: masked }, (reason) => reasons.push(reason))).toEqual([]);
    expect(reasons).toHaveLength(3);
    expect(layered({ optimizer: 'muon' })).toEqual([]);
    expect(layered({ replicas: 2 })).toEqual([]);
  });
});

it('are what a run that is refused is told of, with an adapter as well', () => {
  const refuse = (options: Partial<TrainOptions>, setup: typeof whole) => {
    const [need, ways] = [memoryNeed(setup), layered(options, setup)];
    const available = ways.at(-1)!.total;
    requireMemory(setup, need, available, () => ways.find(({ total }) => total <= available));
  };
  expect(() => refuse({}, whole)).toThrow(
    /Layer by layer, with `offload: 'all\+states'`, it would take about \d+ MB, and \d+ MB of disk/,
  );
  const adapted = { ...whole, learned: new Causal(model.adapt({ rank: 2, alpha: 4 })) };
  expect(() => refuse({ from: 'runs/a', adapter: 'lora' }, adapted)).toThrow(
    /Layer by layer, with `offload: 'all'`, it would take about \d+ MB of memory\. /,
  );
});
