import { expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import type { AnswerPair } from '../../data/chat/pair.js';
import { NodeEngine } from '../../engine/node/engine.js';
import { tokenAt } from '../../model/decoder.test-support.js';
import { Model } from '../../model/model.js';
import { Evaluator } from '../../training/evaluation.js';
import { feedArrays, traceGradient } from '../../training/step-program.js';
import { fixtureParameters, openFixture, projections } from '../fixtures.test-support.js';
import { Preference } from './preference.js';

interface PreferenceFixture {
  readonly config: unknown;
  readonly beta: number;
  readonly smoothing: number;
  /** Tokens of each row, and where its answer begins: the chosen ones first. */
  readonly rows: readonly (readonly [number, number])[];
  readonly policy: readonly number[];
  readonly reference: readonly number[];
  readonly margin: number;
  readonly accuracy: number;
  readonly plain: { readonly loss: number; readonly gradients: Readonly<Record<string, readonly number[]>> };
  readonly smoothed: { readonly loss: number; readonly gradients: Readonly<Record<string, readonly number[]>> };
}

const fixture = openFixture<PreferenceFixture>('preference');
const model = Model.fromConfig(fixture.config);
const parameters = fixtureParameters(model, 0);
const engine = new NodeEngine();
const PAIRS = fixture.rows.length / 2;

const rows = fixture.rows.map(([length, start], b) => ({
  ids: Int32Array.from({ length }, (_, t) => tokenAt(t < start ? b % PAIRS : b, t)),
  flags: Uint8Array.from({ length }, (_, t) => (t < start ? 0 : 1)),
}));
const pairs = Array.from({ length: PAIRS }, (_, i): AnswerPair => {
  const [chosen, rejected] = [i, PAIRS + i];
  const { reference } = fixture;
  return { chosen: rows[chosen]!, rejected: rows[rejected]!, reference: [reference[chosen]!, reference[rejected]!] };
});

async function gradientOf(learned: Preference, vectors: Record<string, Float32Array>) {
  const feeds = feedArrays(learned, PAIRS);
  expect(learned.fill(pairs, feeds)).toBe(PAIRS);
  const plain = { target: engine.target, views: false };
  const options = { accumulate: false, recompute: false };
  const session = await engine.compile(traceGradient(learned, PAIRS, plain, options));
  const outputs = await session.run({ ...vectors, ...feeds });
  await session.dispose();
  return { loss: Number(outputs.loss![0]), gradient: outputs.gradient as Float32Array };
}

it.each(['plain', 'smoothed'] as const)('%s: has the loss and the gradients of PyTorch', async (kind) => {
  const { beta, smoothing } = fixture;
  const learned = new Preference(model, 12, { beta, ...(kind === 'smoothed' && { smoothing }) });
  const { loss, gradient } = await gradientOf(learned, { parameters });
  expect(Math.abs(loss - fixture[kind].loss)).toBeLessThan(1e-4);
  for (const [name, expected] of Object.entries(fixture[kind].gradients))
    for (const [k, got] of projections(model, gradient, name).entries())
      expect(Math.abs(got - expected[k]!), `${name}, direction ${k}`).toBeLessThan(1e-4);
});

it('tells loss, reward accuracy and margin of an evaluation', async () => {
  const learned = new Preference(model, 12, { beta: fixture.beta });
  const evaluator = new Evaluator(learned, engine, 1, { threads: 1 });
  const { weight, sums } = await evaluator.score(parameters, pairs);
  await evaluator.dispose();
  expect(weight).toBe(PAIRS);
  expect(sums.loss! / weight).toBeCloseTo(fixture.plain.loss, 4);
  expect(sums.reward_margin! / weight).toBeCloseTo(fixture.margin, 4);
  expect(sums.reward_accuracy! / weight).toBe(fixture.accuracy);
});

it('with an adapter begins at log 2, whatever the reference: it is the same step with the adapter off', async () => {
  const adapted = model.adapt({ rank: 2, alpha: 4 });
  const learned = new Preference(adapted, 12, { beta: fixture.beta });
  expect(learned.feeds(1).map(({ name }) => name)).toEqual(['ids', 'targets', 'weights']);
  const { trained, frozen } = adapted.initialize(new Random(3, 'parameters'), parameters);
  const begun = await gradientOf(learned, { parameters: trained, frozen });
  expect(begun.loss).toBeCloseTo(Math.LN2, 5);

  // The reference does not move with it.
  const moved = trained.map((value, i) => value + 0.1 * Math.sin(i * i));
  const { loss, gradient } = await gradientOf(learned, { parameters: moved, frozen });
  const at = (vector: Float32Array) => gradientOf(learned, { parameters: vector, frozen });
  const step = 2e-3;
  const along = Float32Array.from(moved, (_, i) => Math.cos(3 * i));
  const ahead = await at(moved.map((value, i) => value + step * along[i]!));
  const behind = await at(moved.map((value, i) => value - step * along[i]!));
  const slope = gradient.reduce((sum, value, i) => sum + value * along[i]!, 0);
  expect(Math.abs((ahead.loss - behind.loss) / (2 * step) - slope)).toBeLessThan(5e-3 * Math.max(1, Math.abs(slope)));
  expect(loss).not.toBeCloseTo(Math.LN2, 3);
});

it('refuses a model that sees the answers', () => {
  const bert = Model.create('bert', { layers: 1, width: 8, heads: 2, keyValueHeads: 2, context: 12, vocabulary: 29 });
  expect(() => new Preference(bert, 12, { beta: 0.1 })).toThrow('sees the answers');
});
