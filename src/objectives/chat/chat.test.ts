import { expect, it } from 'vitest';
import { Random } from '../../base/random.js';
import { packRows } from '../../data/chat/pack.js';
import type { TokenRow } from '../../data/chat/row-file.js';
import { NodeEngine } from '../../engine/node/engine.js';
import { Model } from '../../model/model.js';
import { Evaluator } from '../../training/evaluation.js';
import { feedArrays, traceGradient } from '../../training/step-program.js';
import { Chat } from './chat.js';

const sizes = { layers: 2, width: 16, heads: 4, keyValueHeads: 4, context: 24, vocabulary: 20 };
const random = new Random(4, 'rows');
const rows = Array.from({ length: 11 }, (): TokenRow => {
  const length = 2 + random.below(22);
  return {
    ids: Int32Array.from({ length }, () => random.below(20)),
    flags: Uint8Array.from({ length }, (_, i) => (i > 0 && random.below(2) === 1 ? 1 : 0)),
  };
});
const learned = rows.reduce((sum, { flags }) => sum + flags.reduce((a, b) => a + b, 0), 0);
const engine = new NodeEngine();

/** The loss of some windows, summed, and its gradient. */
async function gradient(chat: Chat, parameters: Float32Array, windows: readonly (readonly TokenRow[])[]) {
  const feeds = feedArrays(chat, windows.length);
  const weight = chat.fill(windows, feeds);
  const plain = { target: engine.target, views: false };
  const program = traceGradient(chat, windows.length, plain, { accumulate: false, recompute: false });
  const session = await engine.compile(program);
  const outputs = await session.run({ parameters, ...feeds });
  await session.dispose();
  const unit = chat.unit(windows.length);
  return {
    weight,
    loss: (outputs.loss![0] as number) * unit,
    gradient: Array.from(outputs.gradient as Float32Array, (value) => value * unit),
  };
}

it.each(['gpt2', 'llama'])('%s: rows packed have the loss and the gradients of rows padded', async (family) => {
  const model = Model.create(family, sizes);
  const chat = new Chat(model, sizes.context);
  const parameters = model.layout.initialize(new Random(2, 'parameters')).map((value) => 10 * value);
  const list = { length: rows.length, sizeOf: (i: number) => rows[i]!.ids.length };
  const windows = packRows(list, sizes.context, 1).map((window) => [...window].map((i) => rows[i]!));
  expect(windows.length).toBeLessThan(rows.length - 2);
  const packed = await gradient(chat, parameters, windows);
  const padded = await gradient(
    chat,
    parameters,
    rows.map((row) => [row]),
  );
  expect(packed.weight).toBe(learned);
  expect(padded.weight).toBe(learned);
  expect(packed.loss / learned).toBeCloseTo(padded.loss / learned, 5);
  const largest = Math.max(...padded.gradient.map(Math.abs));
  for (const [i, value] of padded.gradient.entries())
    expect(Math.abs(packed.gradient[i]! - value)).toBeLessThan(1e-4 * largest);

  const evaluator = new Evaluator(chat, engine, 3, { threads: 1 });
  const score = await evaluator.score(parameters, windows);
  await evaluator.dispose();
  expect(score.weight).toBe(learned);
  expect(score.sums.loss! / learned).toBeCloseTo(padded.loss / learned, 5);
});

it('learns a token by its flag, whatever its id: padding that equals the end of a turn hides nothing', () => {
  const chat = new Chat(Model.create('gpt2', sizes), 6);
  const feeds = feedArrays(chat, 1);
  // Token 0 ends the turn, and is what windows are filled with.
  const weight = chat.fill([[{ ids: Int32Array.of(5, 3, 0), flags: Uint8Array.of(0, 0, 1) }]], feeds);
  expect(weight).toBe(1);
  expect([...(feeds.weights as Float32Array)]).toEqual([0, 1, 0, 0, 0, 0]);
  expect([...(feeds.targets as BigInt64Array)].map(Number)).toEqual([3, 0, 0, 0, 0, 0]);
});

it('cuts a row that is longer than the window', () => {
  const chat = new Chat(Model.create('gpt2', sizes), 3);
  const long = { ids: Int32Array.of(1, 2, 3, 4, 5, 6), flags: Uint8Array.of(0, 1, 1, 1, 1, 1) };
  expect(chat.fill([[long]], feedArrays(chat, 1))).toBe(3);
  expect(() => chat.fill([[long, long]], feedArrays(chat, 1))).toThrow('rows of 3 tokens together');
});

it('refuses a model that sees the answers', () => {
  expect(() => new Chat(Model.create('bert', sizes), 8)).toThrow('sees the answers');
});
