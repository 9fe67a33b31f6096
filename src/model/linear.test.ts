import { expect, it } from 'vitest';
import { NodeEngine } from '../engine/node/engine.js';
import { encode, input } from '../graph/index.js';
import type { WeightRows } from './architecture.js';
import { linear } from './linear.js';

const x = Float32Array.of(1, 2, 3, 4);
/** W of two inputs and three outputs, a row for each output. */
const byOutputs = [1, 2, 3, 4, 5, 6];
/** The same, a row for each input. */
const byInputs = [1, 3, 5, 2, 4, 6];

async function run(weight: readonly number[], rows: WeightRows | undefined, bias?: readonly number[]) {
  const shape = rows === 'inputs' ? [2, 3] : [3, 2];
  const p = { 'a.weight': input('a.weight', shape), ...(bias && { 'a.bias': input('a.bias', [3]) }) };
  const y = linear(p, 'a', input('x', [2, 2]), rows);
  const engine = new NodeEngine();
  const session = await engine.compile(encode({ y }, engine.target));
  const feeds = { x, 'a.weight': Float32Array.from(weight), ...(bias && { 'a.bias': Float32Array.from(bias) }) };
  const outputs = await session.run(feeds);
  await session.dispose();
  return [...(outputs.y as Float32Array)];
}

it('multiplies by the weight as PyTorch and as GPT-2 have it', async () => {
  const plain = [5, 11, 17, 11, 25, 39];
  expect(await run(byOutputs, undefined)).toEqual(plain);
  expect(await run(byInputs, 'inputs')).toEqual(plain);
});

it('adds the bias where there is one', async () => {
  const moved = [15, 31, 47, 21, 45, 69];
  expect(await run(byOutputs, 'outputs', [10, 20, 30])).toEqual(moved);
  expect(await run(byInputs, 'inputs', [10, 20, 30])).toEqual(moved);
});
