import { describe, expect, it } from 'vitest';
import { Model } from '../model/model.js';
import { Causal } from '../objectives/causal/causal.js';
import { memoryNeed, requireMemory } from './memory-need.js';

const sizes = { layers: 2, width: 64, heads: 2, keyValueHeads: 2, context: 64, vocabulary: 256 };
const model = Model.create('gpt2', sizes);
const setup = {
  learned: new Causal(model),
  ...{ replicas: 1, batchSize: 16, gradAccum: 1, averageMoments: true },
  exchange: 'nothing' as const,
};

describe('memoryNeed', () => {
  it('grows with the batch in its activations alone', () => {
    const [one, two] = [memoryNeed(setup), memoryNeed({ ...setup, batchSize: 32 })];
    expect(two.vectors).toBe(one.vectors);
    expect(two.activations / one.activations).toBeGreaterThan(1.7);
    expect(two.activations / one.activations).toBeLessThan(2.2);
    // Parameters, gradient, two moments; and three of them again for checkpoints.
    expect(one.vectors).toBe(7 * 4 * model.layout.size);
  });

  it('counts what replicas hold for each other', () => {
    const vectors = (changes: object) => memoryNeed({ ...setup, ...changes }).vectors / 4 / model.layout.size;
    expect(vectors({ gradAccum: 2 })).toBe(8);
    expect(vectors({ replicas: 2, exchange: 'gradients' })).toBe(2 * 4.5 + 3);
    // Of four replicas that share moments out, each has a quarter of two vectors.
    expect(vectors({ replicas: 4, exchange: 'gradients', sharded: true })).toBe(4 * (2 + 0.5 + 0.75) + 3);
    // Beside their own four: the round's start, half an outer momentum, half of three vectors for the other.
    expect(vectors({ replicas: 2, exchange: 'parameters' })).toBe(2 * (4 + 1 + 0.5 + 1.5) + 4);
    expect(vectors({ replicas: 2, exchange: 'parameters', averageMoments: false })).toBe(2 * (4 + 1 + 0.5 + 0.5) + 6);
  });

  it('counts moments in few bits as what they take, in replicas and in checkpoints', () => {
    const optimizer = { moments: { precision: 'bf16', seed: 1 } } as const;
    const vectors = (changes: object) =>
      memoryNeed({ ...setup, ...changes, optimizer }).vectors / 4 / model.layout.size;
    // Parameters, gradient, two halves; and all but the gradient again for checkpoints.
    expect(vectors({})).toBe(3 + 2);
    const inBytes = { ...setup, optimizer: { moments: { precision: 'int8', seed: 1 } } } as const;
    expect(memoryNeed(inBytes).vectors / model.layout.size).toBe(3 * 4 + 4 * (1 + 1 / 64));
    const kept = { replicas: 2, exchange: 'parameters', averageMoments: false };
    expect(vectors(kept)).toBe(2 * (3 + 1 + 0.5 + 0.5) + 2 + 2);
  });

  it('counts a base in few bits as what it takes, and once as what it is made of', () => {
    const settings = { rank: 2, alpha: 4 };
    const vectors = (adapted: Model) => memoryNeed({ ...setup, learned: new Causal(adapted) }).vectors;
    const small = model.adapt(settings, 'int4');
    const { trained, frozen, storage } = small;
    expect(vectors(small)).toBe(4 * (7 * trained.size + frozen.size) + storage!.bytes);
    expect(vectors(small)).toBeLessThan(vectors(model.adapt(settings)));
  });

  it('counts trained parameters as often as before, and frozen ones once a replica', () => {
    const part = model.freeze(['*', '!h.1.*']);
    const learned = new Causal(part);
    const floats = (changes: object) => memoryNeed({ ...setup, ...changes, learned }).vectors / 4;
    // Beside all that is trained: each replica's, and for a moment another with all parameters, as a model to write.
    expect(floats({})).toBe(7 * part.trained.size + 2 * part.frozen.size + model.layout.size);
    const two = { replicas: 2, exchange: 'gradients' };
    expect(floats(two)).toBe((2 * 4.5 + 3) * part.trained.size + 3 * part.frozen.size + model.layout.size);
    expect(memoryNeed({ ...setup, learned }).activations).toBeLessThan(0.8 * memoryNeed(setup).activations);
  });

  it('counts a teacher once a replica and once more, and the scores of both in a step, not in an evaluation', () => {
    const teacher = Model.create('llama', { ...sizes, width: 128 });
    const learned = new Causal(model, 64, 0, { model: teacher, weight: 0.5, temperature: 1 });
    for (const changes of [{}, { replicas: 2, exchange: 'gradients' as const }]) {
      const [alone, taught] = [memoryNeed({ ...setup, ...changes }), memoryNeed({ ...setup, ...changes, learned })];
      const { replicas } = { ...setup, ...changes };
      expect(taught.vectors - alone.vectors).toBe(4 * teacher.layout.size * (replicas + 1));
      expect(taught.activations - alone.activations).toBeGreaterThan(replicas * 4 * 16 * 64 * sizes.vocabulary);
      expect(taught.evaluation).toBe(alone.evaluation);
    }
  });
});

describe('requireMemory', () => {
  it('takes what fits', () => {
    const need = memoryNeed(setup);
    requireMemory(setup, need, need.total);
  });

  it('names the largest batch that fits, and how to keep the step', () => {
    const need = memoryNeed(setup);
    const available = memoryNeed({ ...setup, batchSize: 8 }).total;
    expect(() => requireMemory(setup, need, available)).toThrow(
      /would need about \d+ MB of memory, and \d+ MB are free: .* `batchSize: 8` fits \(with `gradAccum: 2` for the same steps\)\. `force: true`/,
    );
  });

  it('says when none fits', () => {
    expect(() => requireMemory({ ...setup, replicas: 2, exchange: 'gradients' }, memoryNeed(setup), 1e6)).toThrow(
      'Not even `batchSize: 1` fits: take a smaller `context`, fewer `replicas` or a smaller model.',
    );
  });
});
