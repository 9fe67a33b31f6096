import { expect, it } from 'vitest';
import { Model } from '../../model/model.js';
import { CAUSAL, createObjective } from '../../objectives/create.js';
import { MemoryVector } from '../ranged-vector.js';
import { cutGraph } from './cut-graph.js';
import { SectionVector } from './section-vector.js';
import { MemoryStore } from './store.js';

const model = Model.create('gpt2', { layers: 2, width: 16, heads: 2, keyValueHeads: 2, context: 8, vocabulary: 60 });
const objective = createObjective(CAUSAL, { model, context: 8, seed: 1 });
const { sections } = cutGraph(objective as never, 2, 7);
const { layout } = model;

it('is the vector of its layout, read by any ranges, however the sections cut it', async () => {
  const store = new MemoryStore(sections);
  const vector = new SectionVector(store, sections, layout);
  const values = Float32Array.from({ length: layout.size }, (_, i) => i + 1);
  await vector.fill(new MemoryVector(values));
  expect(vector.length).toBe(layout.size);
  for (const [start, end] of [
    [0, layout.size],
    [5, 6],
    [7 * 16 - 1, 7 * 16 + 1],
    [layout.decayed - 3, layout.size],
  ] as const)
    expect([...(await vector.read({ start, end }))]).toEqual([...values.subarray(start, end)]);
  vector.close();
  // What is nobody's stays 0.
  for (const [i, { size, entries }] of sections.entries()) {
    const owned = entries.reduce((sum, one) => sum + one.size, 0);
    const section = await store.load(i, 'parameters');
    expect(section.filter((value) => value === 0).length).toBe(size - owned);
  }
});
