import { readdirSync, readFileSync } from 'node:fs';
import { Model } from './model.js';

const folder = new URL('../../test/fixtures/decoders/', import.meta.url);

/** What each file is made for: sequences, and tokens of each that are read. Cases of `switches/` have one sequence. */
export const [B, T] = [2, 13];

/** A file of `test/fixtures/decoders`, or a case of those in `switches/`; their script, `make.py`, says what it holds. */
interface DecoderFixture {
  readonly config: Readonly<Record<string, unknown>>;
  readonly loss: number;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
  readonly logits: readonly number[];
}

const files = (of: URL): string[] => readdirSync(of).filter((name) => name.endsWith('.json'));
const parsed = <Held>(name: string): Held => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Held;

const byName = files(folder).map((file): [string, DecoderFixture] => [file.slice(0, -5), parsed(file)]);
const switches = files(new URL('switches/', folder)).flatMap((file) =>
  parsed<DecoderFixture[]>(`switches/${file}`).map((each, i): [string, DecoderFixture] => [
    `${file.slice(0, -5)} switch ${i}`,
    each,
  ]),
);
const fixtures = new Map([...byName, ...switches]);

/** Names of the files. */
export const decoderFixtures: readonly string[] = byName.map(([name]) => name).sort();

/** Names of the cases in `switches/`. */
export const decoderSwitches: readonly string[] = switches.map(([name]) => name);

/** The configuration of each fixture. */
export const decoderConfigs = (): Readonly<Record<string, unknown>>[] => [...fixtures.values()].map((f) => f.config);

/** Numbers without a pattern, as the script makes them. */
export const wave = (count: number, seed: number): Float64Array =>
  Float64Array.from({ length: count }, (_, i) =>
    Math.sin(0.7548776662 * seed * (i + 1) + 0.569840291 * (i + 1) * (i + 1)),
  );

/** A file of `generated/`. */
export interface GeneratedFixture extends Pick<DecoderFixture, 'config' | 'logits'> {
  /** What was given, and what was written: of each such token `logits` [written, V] has the scores that it was taken by. */
  readonly ids: readonly number[];
}

/** A fixture of what a model writes, the model, and the vector of its weights. */
export function openGenerated(name: string) {
  const fixture = parsed<GeneratedFixture>(`generated/${name}.json`);
  return { fixture, ...withWeights(fixture.config) };
}

/** A fixture, its model, how many sequences it reads, and the vector of its weights. */
export function openDecoder(name: string) {
  const fixture = fixtures.get(name)!;
  const { model, parameters } = withWeights(fixture.config);
  const batch = fixture.logits.length / (T * model.dimensions.vocabulary);
  return { fixture, model, batch, parameters };
}

/** A model with the weights that the script gives it. */
function withWeights(config: unknown) {
  const model = Model.fromConfig(config);
  const views: Record<string, Float32Array> = {};
  // Python's order of names, by code units.
  for (const [j, { name: parameter, shape, size }] of model.layout.entries
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .entries()) {
    const isNorm = /norm\.weight$|\.ln_\w+\.weight$/.test(parameter);
    const start = isNorm && !model.architecture.name.startsWith('gemma') ? 1 : 0;
    const vector = isNorm ? 0.3 : 0.2;
    const by = shape.length > 1 ? 0.35 : vector;
    views[parameter] = Float32Array.from(wave(size, j + 1), (value) => start + by * value);
  }
  return { model, parameters: model.layout.fill(views) };
}

/** Token t of sequence b. */
export const tokenAt = (b: number, t: number, vocabulary = 29): number =>
  (5 * b + 3 * t * t + 7 * t * b + t) % vocabulary;
