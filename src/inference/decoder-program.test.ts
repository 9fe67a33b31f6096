import { describe, expect, it } from 'vitest';
import { Model } from '../model/model.js';
import { cacheNeeds, traceStep } from './decoder-program.js';

const sizes = { layers: 2, width: 24, heads: 6, keyValueHeads: 2, context: 40, vocabulary: 7 };

describe('cacheNeeds', () => {
  it('counts the heads of keys, and their width where the configuration sets it', () => {
    expect(cacheNeeds(Model.create('gpt2', sizes))).toEqual({ row: 24, windows: [], whole: true });
    const llama = Model.create('llama', sizes);
    expect(cacheNeeds(llama).row).toBe(8);
    expect(cacheNeeds(Model.fromConfig({ ...(llama.config as object), head_dim: 10 })).row).toBe(20);
  });
});

describe('traceStep', () => {
  it('names what goes in and out, with the shapes of cache and new rows', () => {
    const model = Model.create('llama', sizes);
    const { inputs, outputs } = traceStep(model, { tokens: 3, slots: 16 }, 'cpu');
    const parameters = new Set(model.layout.entries.map(({ name }) => name));
    const shapes = (types: typeof inputs) =>
      Object.fromEntries(
        [...types].filter(([name]) => !parameters.has(name)).map(([name, { shape }]) => [name, shape]),
      );
    const cache = [16, 1, 2, 4];
    expect(shapes(inputs)).toEqual({
      ...{ ids: [3], positions: [3], row: [1], mask: [16] },
      ...{ 'keys.0': cache, 'values.0': cache, 'keys.1': cache, 'values.1': cache },
    });
    const rows = [3, 1, 2, 4];
    expect(shapes(outputs)).toEqual({
      logits: [1, 7],
      ...{ 'new_keys.0': rows, 'new_values.0': rows, 'new_keys.1': rows, 'new_values.1': rows },
    });
    expect([...parameters].filter((name) => !inputs.has(name))).toEqual([]);
  });
});
