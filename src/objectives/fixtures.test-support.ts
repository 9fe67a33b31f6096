import { readFileSync } from 'node:fs';
import { wave } from '../model/decoder.test-support.js';
import type { Model } from '../model/model.js';

const folder = new URL('../../test/fixtures/objectives/', import.meta.url);

/** A file of `test/fixtures/objectives`; its script, `make.py`, says what it holds. */
export function openFixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
}

/** The weights of a fixture's model, as the script makes them. */
export function fixtureParameters(model: Model, seed: number): Float32Array {
  const views: Record<string, Float32Array> = {};
  // Python's order of names, by code units.
  for (const [j, { name, shape, size }] of model.layout.entries
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .entries()) {
    const norm = name.endsWith('norm.weight');
    const by = shape.length > 1 ? 0.35 : norm ? 0.3 : 0.2;
    views[name] = Float32Array.from(wave(size, seed + j + 1), (value) => (norm ? 1 : 0) + by * value);
  }
  return model.layout.fill(views);
}

/** A parameter's gradient, as the fixtures tell it: its sums with two vectors. */
export function projections(model: Model, gradient: Float32Array, name: string): number[] {
  const { offset, size } = model.layout.entries.find((entry) => entry.name === name)!;
  return [0, 1].map((k) => wave(size, 101 + k).reduce((sum, value, i) => sum + value * gradient[offset + i]!, 0));
}
