import { expect, it } from 'vitest';
import { Random } from '../base/random.js';
import { NodeEngine } from '../engine/node/engine.js';
import { encode, gradients, input, mul, reduceSum } from '../graph/index.js';
import { Model } from './model.js';

const sizes = { layers: 2, width: 16, heads: 4, keyValueHeads: 2, context: 160, vocabulary: 20 };
const random = new Random(1, 'ids');
const text = (length: number) => Array.from({ length }, () => random.uint32() % 20);
const draw = (count: number) => Float32Array.from({ length: count }, () => random.uint32() / 2 ** 32 - 0.5);

interface Token {
  readonly id: number;
  readonly position: number;
  readonly start: number;
  /** What its hidden state counts for in the loss. */
  readonly weights: Float32Array;
}

/** Sequences of as many tokens each: the loss, a weighted sum of hidden states, and its gradient by every parameter. */
async function run(model: Model, sequences: readonly (readonly Token[])[], packed: boolean) {
  const [B, T] = [sequences.length, sequences[0]!.length];
  const tokens = Array.from({ length: T * B }, (_, n) => sequences[n % B]![Math.floor(n / B)]!);
  const parameters = model.parameterInputs();
  const packing = { positions_N: input('positions', [T * B], 'int64'), starts_N: input('starts', [T * B]) };
  const ids = input('ids', [T * B], 'int64');
  const x_NC = model.hidden(parameters, ids, B, T, packed ? packing : undefined);
  const loss = reduceSum(mul(x_NC, input('weights', [T * B, sizes.width])), [0, 1]);
  const inside = Object.keys(parameters).filter((name) => name !== 'lm_head.weight');
  const gradient = gradients(
    loss,
    inside.map((name) => parameters[name]!),
  );
  const engine = new NodeEngine();
  const named = Object.fromEntries(gradient.map((g, i) => [`g${i}`, g]));
  const session = await engine.compile(encode({ loss, ...named }, engine.target));
  const vector = model.layout.initialize(new Random(2, 'parameters')).map((value) => 10 * value);
  const outputs = await session.run({
    ...model.layout.views(vector),
    ids: BigInt64Array.from(tokens, ({ id }) => BigInt(id)),
    weights: Float32Array.from(tokens.flatMap(({ weights }) => [...weights])),
    ...(packed && {
      positions: BigInt64Array.from(tokens, ({ position }) => BigInt(position)),
      starts: Float32Array.from(tokens, ({ start }) => start),
    }),
  });
  await session.dispose();
  return Object.values(outputs).map((array) => [...array].map(Number));
}

it.each(['gpt2', 'llama'])(
  '%s: texts that share a sequence give the loss and gradients of each for itself',
  async (family) => {
    const model = Model.create(family, { ...sizes, keyValueHeads: family === 'gpt2' ? 4 : 2 });
    // The longest is more than a block of queries.
    const lengths = [70, 5, 85, 160, 1, 150, 9];
    const texts = lengths.map((length) =>
      text(length).map((id, position): Token => ({ id, position, start: 0, weights: draw(sizes.width) })),
    );
    const packedAs = [[0, 1, 2], [3], [4, 5, 6]].map((members) => {
      let start = 0;
      return members.flatMap((i) => {
        const own = texts[i]!.map((token) => ({ ...token, start }));
        start += own.length;
        return own;
      });
    });
    const fill = { id: 0, start: 0, weights: new Float32Array(sizes.width) };
    const padded = texts.map((own) => [
      ...own,
      ...Array.from({ length: 160 - own.length }, (_, i): Token => ({ ...fill, position: own.length + i })),
    ]);
    const [packed, alone] = [await run(model, packedAs, true), await run(model, padded, false)];
    expect(packed.length).toBe(alone.length);
    for (const [i, expected] of alone.entries()) {
      const scale = Math.max(...expected.map(Math.abs));
      if (i > 0) expect(scale).toBeGreaterThan(1e-6);
      for (const [j, value] of expected.entries()) expect(Math.abs(packed[i]![j]! - value)).toBeLessThan(1e-4 * scale);
    }
  },
);
