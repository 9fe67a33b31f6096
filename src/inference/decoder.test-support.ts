import { expect } from 'vitest';
import type { Engine } from '../engine/engine.js';
import { constant, encode } from '../graph/index.js';
import type { Model } from '../model/model.js';

/** Scores of the token after each prefix of a sequence, by one forward pass without a cache: [T, V]. */
export async function withoutCache(
  engine: Engine,
  model: Model,
  parameters: Float32Array,
  ids: ArrayLike<number>,
): Promise<Float32Array> {
  const traced = model.parameterInputs();
  const given = constant(BigInt64Array.from(Array.from(ids), BigInt), [ids.length]);
  const logits = model.logits(traced, model.hidden(traced, given, 1, ids.length));
  const session = await engine.compile(encode({ logits }, engine.target));
  const outputs = await session.run(model.layout.views(parameters));
  await session.dispose();
  return outputs.logits as Float32Array;
}

export function expectClose(actual: Float32Array, expected: Float32Array): void {
  const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i]!)), 0);
  expect(actual.length).toBe(expected.length);
  expect(worst).toBeLessThan(1e-4);
}

/** The place of the largest, the first of equal ones. */
export function largest(values: Float32Array): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}
