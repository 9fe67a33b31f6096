import { afterAll, describe, expect, it } from 'vitest';
import greedy from '../../test/fixtures/seq2seq/greedy.json' with { type: 'json' };
import { SafetensorsFile } from '../base/files/safetensors.js';
import { NodeEngine } from '../engine/node/engine.js';
import { constant, encode } from '../graph/index.js';
import { Model } from '../model/model.js';
import { Decoder } from './decoder.js';
import { expectClose, largest } from './decoder.test-support.js';

const engine = new NodeEngine();
const [START, END, MOST] = [0, 1, 40];
const cleanups: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const cleanup of cleanups) await cleanup();
});

async function open(name: keyof typeof greedy) {
  const { config, rows } = greedy[name];
  const model = Model.fromConfig(config);
  const url = new URL(`../../test/fixtures/seq2seq/${name}.safetensors`, import.meta.url);
  const file = await SafetensorsFile.open(url.pathname);
  const parameters = new Float32Array(model.layout.size);
  for (const [key, view] of Object.entries(model.layout.views(parameters)))
    await file.readFloat32(`weights.${key}`, view);
  await file.close();
  const decoder = new Decoder({ model, parameters, engine });
  cleanups.push(() => decoder.dispose());
  return { model, parameters, decoder, rows };
}

async function written(decoder: Decoder, source: readonly number[]): Promise<number[]> {
  await decoder.read(source);
  const ids: number[] = [];
  while (ids.length < MOST && ids.at(-1) !== END) {
    const { logits } = await decoder.step([ids.at(-1) ?? START]);
    ids.push(largest(logits));
  }
  return ids;
}

describe.each(Object.keys(greedy) as (keyof typeof greedy)[])('an encoder-decoder, %s', (name) => {
  it("writes Python's greedy tokens, of one source after another", async () => {
    const { decoder, rows } = await open(name);
    for (const { source, target } of rows) expect(await written(decoder, source)).toEqual(target);
  });
});

it('gives the scores of one pass without a cache, in pieces of every size, beyond the length it was made for', async () => {
  const { model, parameters, decoder } = await open('t5-distances');
  const { vocabulary: V } = model.dimensions;
  const source = [5, 9, 2, 7, 11, END];
  const ids = Array.from({ length: 150 }, (_, i) => (i === 0 ? START : 2 + ((7 * i) % 11)));
  const given = (list: readonly number[]) => ({
    ids_N: constant(BigInt64Array.from(list, BigInt), [list.length]),
    length: list.length,
  });
  const traced = model.parameterInputs();
  const hidden = model.hiddenOfTarget(traced, { source: given(source), target: given(ids) }, 1);
  const session = await engine.compile(encode({ logits: model.logits(traced, hidden) }, engine.target));
  const logits = (await session.run(model.layout.views(parameters))).logits as Float32Array;
  await session.dispose();
  for (const size of [1, 3, 50, 128]) {
    await decoder.read(source);
    for (let t = 0; t < ids.length; ) {
      const step = await decoder.step(ids.slice(t, t + size));
      t += step.taken;
      expectClose(step.logits, logits.subarray((t - 1) * V, t * V));
    }
  }
});
