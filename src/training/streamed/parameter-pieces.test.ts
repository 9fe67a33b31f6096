import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import { Model } from '../../model/model.js';
import { Causal } from '../../objectives/causal/causal.js';
import { cutGraph } from './cut-graph.js';
import { ParameterReader, setParameters } from './parameter-pieces.js';
import { MemoryStore } from './store.js';

const sizes = { layers: 2, width: 8, heads: 2, keyValueHeads: 2, context: 4, vocabulary: 23 };

it('sets parameters from pieces of any length, in sections of any, and gives them back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('gpt2', 'llama'),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 30 }),
      fc.nat(),
      async (family, most, rows, seed) => {
        const { layout, ...model } = Model.create(family, sizes);
        const whole = layout.views(layout.initialize(new Random(seed)));
        const { sections } = cutGraph(new Causal(Model.fromConfig(model.config), 4), 1, rows);
        const store = new MemoryStore(sections);
        await setParameters(store, sections, layout.initialPieces(new Random(seed), most));
        const reader = new ParameterReader(store, sections);
        for (const { name } of layout.entries) {
          const found: number[] = [];
          for await (const part of reader.values(name)) found.push(...part);
          expect(found).toEqual([...whole[name]!]);
        }
        reader.close();
      },
    ),
    { numRuns: 30 },
  );
});
