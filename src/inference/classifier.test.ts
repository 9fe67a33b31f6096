import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { parseTokenizer, type Tokenizer } from '../data/index.js';
import { NodeEngine } from '../engine/node/engine.js';
import { constant, encode } from '../graph/index.js';
import { Model } from '../model/model.js';
import { Classifier } from './classifier.js';

const engine = new NodeEngine();
const tiny = new URL('../../test/fixtures/sentence/tiny/0_Transformer/', import.meta.url).pathname;

let tokenizer: Tokenizer;
beforeAll(async () => {
  const read = (name: string) => readFile(join(tiny, name), 'utf8');
  const files = { 'tokenizer.json': await read('tokenizer.json'), 'tokenizer_config.json': '{}' };
  tokenizer = await parseTokenizer(files, tiny);
});

function open(labels: readonly string[], more: object = {}) {
  const config = {
    model_type: 'bert',
    architectures: ['BertForSequenceClassification'],
    ...{ vocab_size: tokenizer.vocabularySize, hidden_size: 16, num_hidden_layers: 2, num_attention_heads: 2 },
    ...{ intermediate_size: 32, max_position_embeddings: 24, type_vocab_size: 2 },
    id2label: Object.fromEntries(labels.map((label, i) => [i, label])),
    ...more,
  };
  const model = Model.fromConfig(config);
  const parameters = model.layout.initialize(new Random(3));
  for (let i = 0; i < parameters.length; i++) parameters[i]! *= 8;
  return { model, parameters, classifier: new Classifier({ model, parameters, tokenizer, engine }) };
}

/** Scores of one text by itself, without anything that fills it up. */
async function alone(model: Model, parameters: Float32Array, ids: readonly number[], types: readonly number[]) {
  const p = model.parameterInputs();
  const of = (values: readonly number[]) => constant(BigInt64Array.from(values, BigInt), [values.length]);
  const x_NC = model.hidden(p, of(ids), 1, ids.length, { types_N: of(types) });
  const session = await engine.compile(encode({ scores: model.scores(p, x_NC, { batch: 1 }) }, engine.target));
  const { scores } = await session.run(model.layout.views(parameters));
  await session.dispose();
  return [...(scores as Float32Array)];
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const texts = ['the', 'a cat sat on the mat and looked at the dog', 'cat dog', 'a a a a a a a a a a a'];

describe('Classifier', () => {
  it('gives each text the softmax of what it is scored alone, in the order of texts', async () => {
    const { model, parameters, classifier } = open(['good', 'bad', 'neither']);
    expect(classifier.labels).toEqual(['good', 'bad', 'neither']);
    const scores = await classifier.classify(texts);
    const { before, after } = tokenizer.around!;
    for (const [i, text] of texts.entries()) {
      const own = tokenizer.encode(text).subarray(0, 24 - before.length - after.length);
      const ids = [...before, ...own, ...after];
      const weights = (await alone(model, parameters, ids, Array(ids.length).fill(0))).map(Math.exp);
      const sum = weights.reduce((total, weight) => total + weight, 0);
      for (const [j, weight] of weights.entries()) expect(scores[i]![j]).toBeCloseTo(weight / sum, 4);
    }
    await classifier.dispose();
  });

  it('reads pairs with the types of their texts, and cuts the longer to the context', async () => {
    const { model, parameters, classifier } = open(['fits']);
    const long = Array(40).fill('a').join(' ');
    const [scores, cut] = await classifier.classify([
      ['cat', 'dog'],
      ['cat', long],
    ]);
    const pair = tokenizer.aroundPair!;
    expect([pair.between.length, pair.second]).toEqual([1, 1]);
    const [cat, dog] = ['cat', 'dog'].map((text) => [...tokenizer.encode(text)]) as [number[], number[]];
    const one = [...pair.before, ...cat, ...pair.between];
    const check = async (second: readonly number[], found: Float32Array) => {
      const two = [...second, ...pair.after];
      const types = [...one.map(() => 0), ...two.map(() => 1)];
      expect(found[0]).toBeCloseTo(sigmoid((await alone(model, parameters, [...one, ...two], types))[0]!), 4);
    };
    await check(dog, scores!);
    await check([...tokenizer.encode(long)].slice(0, 24 - one.length - pair.after.length), cut!);
    await classifier.dispose();
  });

  it('gives labels that do not exclude each other each a sigmoid', async () => {
    const { model, parameters, classifier } = open(['rude', 'long'], { problem_type: 'multi_label_classification' });
    const [scores] = await classifier.classify(['cat']);
    const { before, after } = tokenizer.around!;
    const ids = [...before, ...tokenizer.encode('cat'), ...after];
    const expected = await alone(model, parameters, ids, Array(ids.length).fill(0));
    for (const [j, score] of expected.entries()) expect(scores![j]).toBeCloseTo(sigmoid(score), 4);
    await classifier.dispose();
  });
});
