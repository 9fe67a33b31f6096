import { describe, expect, it } from 'vitest';
import { NodeEngine } from '../../engine/node/engine.js';
import { Model } from '../../model/model.js';
import { Causal } from '../../objectives/causal/causal.js';
import { Masked } from '../../objectives/masked/masked.js';
import { cutGraph } from './cut-graph.js';
import { PartPrograms } from './part-programs.js';

const sizes = { layers: 4, width: 16, heads: 4, keyValueHeads: 4, context: 8, vocabulary: 37 };

describe('cutGraph', () => {
  it.each(['gpt2', 'llama', 'qwen3', 'gemma2'])('has each element of a %s in one section', (family) => {
    const model = Model.create(family, sizes);
    const { sections } = cutGraph(new Causal(model, 8), 2, 10);
    const owners = new Map(model.layout.entries.map(({ name, size }) => [name, new Uint8Array(size)]));
    for (const { entries, size, decayed } of sections) {
      let end = 0;
      for (const { name, offset, size: own, from, shape } of entries) {
        expect(offset).toBeGreaterThanOrEqual(end);
        end = offset + own;
        expect(offset < decayed).toBe(shape.length > 1);
        for (let i = from; i < from + own; i++) owners.get(name)![i]!++;
      }
      expect(end).toBe(size);
    }
    for (const counts of owners.values()) expect(new Set(counts)).toEqual(new Set([1]));
  });

  it('has tables in sections no larger than the largest layer', () => {
    const { sections, head } = cutGraph(new Causal(Model.create('gpt2', { ...sizes, vocabulary: 1000 }), 8), 2);
    const largest = Math.max(...sections.filter((_, i) => !head.sections.includes(i)).map(({ size }) => size));
    expect(head.sections.length).toBeGreaterThan(1);
    for (const i of head.sections) expect(sections[i]!.size).toBeLessThanOrEqual(largest);
  });

  it('refuses what has other layers, another loss, or parameters that are not trained', () => {
    const gpt2 = Model.create('gpt2', sizes);
    const bert = Model.create('bert', sizes);
    expect(() => cutGraph(new Causal(gpt2.freeze(['transformer.h.0.*']), 8), 2)).toThrow('parameters are frozen');
    expect(() => cutGraph(new Masked(bert, { context: 8, rate: 0.15, mask: 1, seed: 1 }), 2)).toThrow(
      'cannot be trained layer by layer',
    );
    const teacher = { model: gpt2, weight: 0.5, temperature: 1 };
    expect(() => cutGraph(new Causal(gpt2, 8, 0, teacher), 2)).toThrow('learns from a teacher');
  });
});

describe('PartPrograms', () => {
  it.each([
    ['gpt2', {}, 3],
    ['qwen3', {}, 3],
    // Layers that see all, and layers that see a window.
    ['gemma2', { sliding_window: 4 }, 4],
  ] as const)('compiles blocks of a %s that are alike once', async (family, more, kinds) => {
    const made = Model.create(family, { ...sizes, context: 16 });
    const model = Model.fromConfig({ ...(made.config as object), ...more });
    const { embed, blocks, final } = cutGraph(new Causal(model, 16), 2);
    const { of, all } = await PartPrograms.compile(new NodeEngine(), [embed, ...blocks, final], false);
    expect(of).toHaveLength(6);
    expect(all).toHaveLength(kinds);
    for (const programs of all) await programs.dispose();
  });
});
