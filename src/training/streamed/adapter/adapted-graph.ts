import { MeanfieldError } from '../../../base/errors.js';
import type { Objective } from '../../../objectives/objective.js';
import { type CutGraph, cutGraph, type LayerPart } from '../cut-graph.js';
import type { BaseSlice } from './base-sections.js';

/** A layer with an adapter beside it. */
export interface AdaptedPart {
  readonly layer: LayerPart;
  /** What its parameters are, in their order: adapter's by name, or the base's by their place among its slices. */
  readonly parameters: readonly ({ readonly adapter: string } | { readonly base: number })[];
  /** The adapter's alone, in the same order. */
  readonly learned: readonly string[];
}

/** An objective's graph in parts, of a model that is frozen but for an adapter beside the layers between its ends. */
export interface AdaptedGraph {
  readonly cut: CutGraph;
  /** From the embedding to what the head scores. */
  readonly parts: readonly AdaptedPart[];
  /** Of every section of the cut, what is the base's. */
  readonly slices: readonly (readonly BaseSlice[])[];
}

/** @throws MeanfieldError for what is not made of layers one behind the other, or is adapted at its ends */
export function adaptedGraph(objective: Objective<never>, batch: number, rows?: number): AdaptedGraph {
  const { layout, frozen, storage } = objective;
  if (frozen.size === 0) throw new Error('nothing is frozen');
  if (storage)
    throw new MeanfieldError('A base that is read from its files has the precision that it has there: take fp32.');
  const cut = cutGraph(objective, batch, rows, [...frozen.entries, ...layout.entries]);
  const adapter = new Set(layout.entries.map(({ name }) => name));
  const slices = cut.sections.map(({ entries }) => entries.filter(({ name }) => !adapter.has(name)));
  const parts = [cut.embed, ...cut.blocks, cut.final].map((layer): AdaptedPart => {
    const { entries } = cut.sections[layer.section]!;
    let base = 0;
    const parameters = entries.map(({ name }) => (adapter.has(name) ? { adapter: name } : { base: base++ }));
    const places = [...entries.keys()].filter((i) => adapter.has(entries[i]!.name));
    return { layer: { ...layer, learned: places }, parameters, learned: places.map((i) => entries[i]!.name) };
  });
  return { cut, parts, slices };
}
