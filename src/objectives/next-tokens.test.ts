import { describe, expect, it } from 'vitest';
import { Random } from '../base/random.js';
import type { PackedRows } from '../data/chat/pack.js';
import { NodeEngine } from '../engine/node/engine.js';
import { tokenAt } from '../model/decoder.test-support.js';
import { Model } from '../model/model.js';
import { Evaluator } from '../training/evaluation.js';
import { feedArrays, frozenArrays, teacherArrays, traceGradient } from '../training/step-program.js';
import { Causal } from './causal/causal.js';
import { Chat } from './chat/chat.js';
import { fixtureParameters, openFixture, projections } from './fixtures.test-support.js';
import type { Objective } from './objective.js';

interface DistillationFixture {
  readonly config: unknown;
  readonly teacher: unknown;
  /** The share of the tokens themselves. */
  readonly alpha: number;
  readonly temperature: number;
  readonly length: number;
  readonly loss: number;
  readonly crossEntropy: number;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

const fixture = openFixture<DistillationFixture>('distillation');
const { length, temperature } = fixture;
const student = Model.fromConfig(fixture.config);
const other = Model.fromConfig(fixture.teacher);
const teacher = { model: other, weight: 1 - fixture.alpha, temperature };
const parameters = fixtureParameters(student, 0);
const taught = fixtureParameters(other, 50);
const engine = new NodeEngine();

const row = (b: number) => Int32Array.from({ length: length + 1 }, (_, t) => tokenAt(b, t));
const windows = [0, 1].map((b) => ({ number: [0, b] as const, ids: row(b) }));

interface Vectors {
  readonly parameters: Float32Array;
  readonly frozen?: Float32Array;
  readonly teacher: Float32Array;
}

/** The mean loss of a step over its targets, and its gradient. */
async function stepOf<Sample>(learned: Objective<Sample>, samples: readonly Sample[], vectors: Vectors) {
  const objective = learned as Objective<never>;
  const feeds = feedArrays(objective, samples.length);
  const weight = learned.fill(samples, feeds);
  const plain = { target: engine.target, views: false };
  const options = { accumulate: false, recompute: false };
  const session = await engine.compile(traceGradient(objective, samples.length, plain, options));
  const outputs = await session.run({
    parameters: vectors.parameters,
    ...frozenArrays(objective, vectors.frozen ?? new Float32Array(0), false),
    ...teacherArrays(objective, vectors.teacher, false),
    ...feeds,
  });
  await session.dispose();
  const by = learned.unit(samples.length) / weight;
  const gradient = (outputs.gradient as Float32Array).map((value) => by * value);
  return { loss: by * Number(outputs.loss![0]), gradient };
}

async function heldOut<Sample>(learned: Objective<Sample>, samples: readonly Sample[]): Promise<number> {
  const evaluator = new Evaluator(learned, engine, 1, { threads: 1 });
  const { sum, weight } = await evaluator.lossSum(parameters, samples);
  await evaluator.dispose();
  return sum / weight;
}

/** Each in a window of its own, or both in one. */
const chats = (packed: boolean): PackedRows[] => {
  const rows = windows.map(({ ids }) => ({ ids, flags: Uint8Array.from(ids, (_, t) => (t === 0 ? 0 : 1)) }));
  return packed ? [rows] : rows.map((one) => [one]);
};

describe('a student of a teacher', () => {
  const causal = new Causal(student, length, 0, teacher);

  it('has the loss and the gradients of PyTorch', async () => {
    const { loss, gradient } = await stepOf(causal, windows, { parameters, teacher: taught });
    expect(Math.abs(loss - fixture.loss)).toBeLessThan(1e-4);
    for (const [name, expected] of Object.entries(fixture.gradients))
      for (const [k, got] of projections(student, gradient, name).entries())
        expect(Math.abs(got - expected[k]!), `${name}, direction ${k}`).toBeLessThan(1e-4);
  });

  it.each([
    ['packed', 2 * length, true],
    ['in windows that are longer', length + 3, false],
  ] as const)('has the same of conversations, %s', async (_, places, packed) => {
    const chat = new Chat(student, places, teacher);
    const whole = await stepOf(causal, windows, { parameters, teacher: taught });
    const same = await stepOf(chat, chats(packed), { parameters, teacher: taught });
    expect(Math.abs(same.loss - whole.loss)).toBeLessThan(1e-5);
    same.gradient.forEach((value, i) => {
      expect(Math.abs(value - whole.gradient[i]!)).toBeLessThan(1e-5);
    });
  });

  it('is measured without the teacher', async () => {
    expect(Math.abs((await heldOut(causal, windows)) - fixture.crossEntropy)).toBeLessThan(1e-5);
    const chat = new Chat(student, length, teacher);
    expect(Math.abs((await heldOut(chat, chats(false))) - fixture.crossEntropy)).toBeLessThan(1e-5);
  });

  it('with a weight of 0 learns what it would learn by itself', async () => {
    const alone = await stepOf(new Causal(student, length), windows, { parameters, teacher: taught });
    const unheard = new Causal(student, length, 0, { ...teacher, weight: 0 });
    const same = await stepOf(unheard, windows, { parameters, teacher: taught });
    expect(same.loss).toBeCloseTo(alone.loss, 6);
    same.gradient.forEach((value, i) => {
      expect(value).toBeCloseTo(alone.gradient[i]!, 6);
    });
  });

  it('by itself for a teacher, and nothing else, has nothing to learn', async () => {
    const itself = new Causal(student, length, 0, { model: student, weight: 1, temperature });
    const { loss, gradient } = await stepOf(itself, windows, { parameters, teacher: parameters });
    expect(Math.abs(loss)).toBeLessThan(1e-5);
    for (const value of gradient) expect(Math.abs(value)).toBeLessThan(1e-6);
  });

  it('with an adapter learns by that alone', async () => {
    const adapted = student.adapt({ rank: 2, alpha: 4 });
    const begun = adapted.initialize(new Random(3, 'parameters'), parameters);
    const moved = begun.trained.map((value, i) => value + 0.1 * Math.sin(i * i));
    const learned = new Causal(adapted, length, 0, teacher);
    const at = (vector: Float32Array) =>
      stepOf(learned, windows, { parameters: vector, frozen: begun.frozen, teacher: taught });
    const { gradient } = await at(moved);
    expect(gradient.length).toBe(adapted.trained.size);
    const step = 2e-3;
    const along = Float32Array.from(moved, (_, i) => Math.cos(3 * i));
    const ahead = await at(moved.map((value, i) => value + step * along[i]!));
    const behind = await at(moved.map((value, i) => value - step * along[i]!));
    const slope = gradient.reduce((sum, value, i) => sum + value * along[i]!, 0);
    expect(Math.abs((ahead.loss - behind.loss) / (2 * step) - slope)).toBeLessThan(5e-3 * Math.max(1, Math.abs(slope)));
  });
});

describe('a teacher', () => {
  it('may have more rows than the student, of which nothing is learned', async () => {
    const sizes = { ...(fixture.teacher as { vocab_size: number }) };
    const more = Model.fromConfig({ ...sizes, vocab_size: sizes.vocab_size + 3 });
    const views = other.layout.views(taught);
    const wider = more.layout.fill(
      Object.fromEntries(
        more.layout.entries.map(({ name, size }) => {
          // Rows that would be likely, were they tokens.
          const values = new Float32Array(size).fill(5);
          values.set(views[name]!);
          return [name, values];
        }),
      ),
    );
    const learned = new Causal(student, length, 0, { ...teacher, model: more });
    const { loss } = await stepOf(learned, windows, { parameters, teacher: wider });
    expect(Math.abs(loss - fixture.loss)).toBeLessThan(1e-4);
  });

  it('that sees what is to be told is refused', () => {
    const bert = Model.create('bert', { layers: 1, width: 8, heads: 2, keyValueHeads: 2, context: 12, vocabulary: 29 });
    expect(() => new Causal(student, length, 0, { ...teacher, model: bert })).toThrow('can teach nobody to write');
  });
});
