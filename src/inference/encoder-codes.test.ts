import { afterAll, describe, expect, it } from 'vitest';
import { modelPath, modelsThere } from '../../test/models/models.js';
import { cosine } from '../base/cosine.js';
import { Random } from '../base/random.js';
import { NodeEngine } from '../engine/node/engine.js';
import { loadModel } from '../hub/load-model.js';
import { MEAN } from '../hub/sentence-folder.js';
import { Model } from '../model/model.js';
import { Embedder } from './embedder.js';
import { embeddingRuns } from './embedding-runs.js';
import { encoderCodes } from './encoder-codes.js';

const engine = new NodeEngine();
const compile = { threads: 1 };

/** Of each vector the cosine to the other of its place. */
function cosines(these: readonly Float32Array[], those: readonly Float32Array[]): number[] {
  return these.map((x, i) => cosine(x, those[i]!));
}

/** Vectors of a small encoder of a family, as it is and in codes. */
async function bothOf(model: Model, parameters: Float32Array) {
  const codes = await encoderCodes(engine, model, model.layout.views(parameters), compile);
  const options = { model, sentence: MEAN, longest: model.dimensions.context, engine, compile };
  const random = new Random(3, 'texts');
  const ids = Array.from({ length: 6 }, (_, i) =>
    Int32Array.from({ length: 3 + i }, () => random.below(model.dimensions.vocabulary)),
  );
  const all = [];
  for (const given of [{ parameters }, { parameters: new Float32Array(0), codes }]) {
    const runs = embeddingRuns({ ...options, ...given });
    const data = await runs.run(ids, 8);
    const width = data.length / ids.length;
    all.push(ids.map((_, b) => data.slice(b * width, (b + 1) * width)));
    await runs.dispose();
  }
  return { codes, vectors: all as [Float32Array[], Float32Array[]] };
}

const SIZES = { layers: 2, width: 32, heads: 4, keyValueHeads: 4, context: 16, vocabulary: 50 };

it.each(['bert', 'distilbert'])('vectors of a %s in codes are nearly its own', async (family) => {
  const model = Model.create(family, SIZES);
  const { codes, vectors } = await bothOf(model, model.layout.initialize(new Random(1)));
  expect(codes.groups.size).toBeGreaterThanOrEqual(2 * 4);
  // All parameters are there once: in codes, or as they are.
  expect(Object.keys(codes.fed).length + codes.groups.size).toBe(model.layout.entries.length);
  for (const each of cosines(...vectors)) expect(each).toBeGreaterThan(0.999);
  expect(vectors[0]).not.toEqual(vectors[1]);
});

it('keeps apart channels of which some are far larger than others', async () => {
  const model = Model.create('bert', SIZES);
  const parameters = model.layout.initialize(new Random(1));
  const views = model.layout.views(parameters);
  for (const [name, values] of Object.entries(views)) if (/LayerNorm.weight$/.test(name)) values[5] = 100;
  const { vectors } = await bothOf(model, parameters);
  // The largest channel would hide all others.
  const rest = vectors.map((all) => all.map((vector) => vector.filter((_, i) => i !== 5))) as [
    Float32Array[],
    Float32Array[],
  ];
  for (const each of cosines(...rest)) expect(each).toBeGreaterThan(0.995);
});

it('rounds layers of zeros to zeros', async () => {
  const model = Model.create('bert', SIZES);
  const parameters = model.layout.initialize(new Random(1));
  const views = model.layout.views(parameters);
  for (const [name, values] of Object.entries(views)) if (/(query|output.dense).weight$/.test(name)) values.fill(0);
  const { vectors } = await bothOf(model, parameters);
  for (const each of cosines(...vectors)) expect(each).toBeGreaterThan(0.999);
});

describe.skipIf(!modelsThere)('all-MiniLM-L6-v2 (skipped without MEANFIELD_MODELS)', () => {
  const embedders: Embedder[] = [];
  afterAll(() => Promise.all(embedders.map((one) => one.dispose())));

  it('has vectors at a cosine of 0.999 to those in single precision', { timeout: 60_000 }, async () => {
    const loaded = await loadModel(modelPath('all-MiniLM-L6-v2'));
    const { model, parameters } = loaded;
    const codes = await encoderCodes(engine, model, model.layout.views(parameters), compile);
    const texts = SENTENCES.split('\n');
    const vectors = [];
    for (const given of [{ parameters }, { parameters: new Float32Array(0), codes }]) {
      embedders.push(new Embedder({ ...loaded, ...given, engine, compile }));
      vectors.push(await embedders.at(-1)!.embed(texts));
    }
    const all = cosines(vectors[0]!, vectors[1]!);
    expect(all.reduce((a, b) => a + b) / all.length).toBeGreaterThan(0.999);
    // Of a text of one word there are few errors to cancel each other.
    expect(Math.min(...all)).toBeGreaterThan(0.996);
  });
});

const SENTENCES = `The committee has not yet decided whether the bridge is to be repaired or replaced.
A dog ran over the frozen lake.
What is the capital of Portugal, and how many people live there?
Interest rates rose for the third time this year, which surprised few.
He closed the book, looked at the rain, and thought of nothing at all.
npm install fails with a permission error in the global folder
Thank you for your order! It will be sent tomorrow.
The enzyme loses its activity above sixty degrees.
I don't think that she meant it that way.
Two seconds before the end they scored again.
Section 4.2 of this agreement survives its termination.
yes
Music was heard from a window on the second floor, an old waltz played too slowly.
How do I convert a string to a number in TypeScript?
The museum opens at ten and is closed on Mondays.`;
