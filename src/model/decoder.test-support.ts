import { readdirSync, readFileSync } from 'node:fs';
import { Model } from './model.js';

const folder = new URL('../../test/fixtures/decoders/', import.meta.url);

/** What each fixture is made for: sequences, and tokens of each that are read. */
export const [B, T] = [2, 13];

/** A file of `test/fixtures/decoders`; its script, `make.py`, says what it holds. */
interface DecoderFixture {
  readonly config: Readonly<Record<string, unknown>>;
  readonly loss: number;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
  readonly logits: readonly number[];
}

/** Names of the fixtures. */
export const decoderFixtures: readonly string[] = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.slice(0, -5))
  .sort();

/** Numbers without a pattern, as the script makes them. */
export const wave = (count: number, seed: number): Float64Array =>
  Float64Array.from({ length: count }, (_, i) =>
    Math.sin(0.7548776662 * seed * (i + 1) + 0.569840291 * (i + 1) * (i + 1)),
  );

/** A fixture, its model, and the vector of its weights. */
export function openDecoder(name: string) {
  const fixture: DecoderFixture = JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
  const model = Model.fromConfig(fixture.config);
  const views: Record<string, Float32Array> = {};
  // Python's order of names, by code units.
  for (const [j, { name: parameter, shape, size }] of model.layout.entries
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .entries()) {
    const start = parameter.endsWith('norm.weight') && !model.architecture.name.startsWith('gemma') ? 1 : 0;
    const vector = parameter.endsWith('norm.weight') ? 0.3 : 0.2;
    const by = shape.length > 1 ? 0.35 : vector;
    views[parameter] = Float32Array.from(wave(size, j + 1), (value) => start + by * value);
  }
  return { fixture, model, parameters: model.layout.fill(views) };
}

/** Token t of sequence b. */
export const tokenAt = (b: number, t: number): number => (5 * b + 3 * t * t + 7 * t * b + t) % 29;
