import { afterAll, expect, it } from 'vitest';
import { probeInt8 } from '../../engine/int8-probe.js';
import { NodeEngine } from '../../engine/node/engine.js';
import { testData, tinyModel } from '../../local/local.test-support.js';
import { initialParameters } from '../../run/start-vectors.js';
import { modelThreadHere } from '../cluster.test-support.js';
import type { Work } from '../protocol/down.js';
import { CommittedModelThread } from './thread.js';
import { hostSetupOf } from './thread.test-support.js';

const data = await testData(4000);
const model = tinyModel(data.vocabulary);
afterAll(() => data.remove());

const outer = { method: 'nesterov', learningRate: 0.7, momentum: 0.7 } as const;
const setupOf = (trains: boolean) => hostSetupOf(data, model, trains, { outer });

const first = () => [initialParameters(model, 5), new Float32Array(model.layout.size)];
const work = (changes: Partial<Work> = {}): Work => ({
  ...{ steps: 3, fragment: 0, position: 0, advance: 3, lease: [{ epoch: 0, start: 0, end: 6 }] },
  ...changes,
});

async function threads() {
  const [member, keeper] = [modelThreadHere(), modelThreadHere()];
  expect(await member.ask('init', setupOf(true))).toBe(16);
  expect(await keeper.ask('init', setupOf(false))).toBe(0);
  const hashes = [await member.ask('load', first()), await keeper.ask('load', first())];
  expect(hashes[0]).toBe(hashes[1]);
  return { member, keeper, hash: hashes[0]! };
}

it('trains on its samples alone, and comes with others to the same parameters', async () => {
  const { member, keeper, hash } = await threads();
  const steps: number[] = [];
  const trained = (await member.ask('train', work(), ({ step }) => steps.push(step)))!;
  expect(steps).toEqual([0, 1, 2]);
  expect(trained).toMatchObject({ tokens: 48, steps: 3, finite: true });
  expect(trained.norm).toBeGreaterThan(0);
  const parts: Uint8Array[] = [];
  for (const [shard, part] of trained.parts.entries()) {
    const reduced = await keeper.ask('reduce', {
      fragment: 0,
      shard,
      parts: [part.slice()],
      weights: [1],
      norms: [trained.norm],
    });
    parts.push((reduced as { merged: Uint8Array }).merged);
  }
  const [a, b] = [member, keeper].map((thread) =>
    thread.ask('apply', { fragment: 0, parts: parts.map((part) => part.slice()) }),
  );
  expect(await a).toEqual({ hash: expect.any(String), parts });
  expect(await b).toEqual(await a);
  expect(await a).not.toMatchObject({ hash });
  const [parameters, momentum] = await keeper.ask('snapshot', null);
  expect(parameters).not.toEqual(first()[0]);
  expect(momentum!.some((value) => value !== 0)).toBe(true);
  expect((await keeper.ask('evaluate', [0, 8])).sum).toBeGreaterThan(2);
  await Promise.all([member.close(), keeper.close()]);
});

it('gives the same contribution again after it has gone back', async () => {
  const { member, keeper } = await threads();
  const one = (await member.ask('train', work({ steps: 1, lease: [{ epoch: 0, start: 0, end: 2 }] })))!;
  await member.ask('load', first());
  const other = modelThreadHere();
  await other.ask('init', setupOf(true));
  await other.ask('load', first());
  const again = (await other.ask('train', work({ steps: 1, lease: [{ epoch: 0, start: 0, end: 2 }] })))!;
  expect(again.parts).toEqual(one.parts);
  expect(again.loss).toBe(one.loss);
  await member.ask('rollback', null);
  await Promise.all([member.close(), keeper.close(), other.close()]);
});

it('drops what follows from the samples, whoever trains on them', async () => {
  const setup = (dropout?: number) => {
    const plain = setupOf(true);
    return { ...plain, run: { ...plain.run, ...(dropout && { dropout }) } };
  };
  const two = work({ steps: 2, lease: [{ epoch: 0, start: 4, end: 8 }] });
  const done = async (dropout?: number) => {
    const thread = modelThreadHere();
    await thread.ask('init', setup(dropout));
    await thread.ask('load', first());
    const trained = (await thread.ask('train', two))!;
    await thread.close();
    return trained.loss;
  };
  const dropped = await done(0.3);
  expect(await done(0.3)).toBe(dropped);
  expect(await done()).not.toBe(dropped);
});

it('trains in 8 bits where its machine does, beside members that do not, by the same words', async () => {
  const two = work({ steps: 2, lease: [{ epoch: 0, start: 4, end: 8 }] });
  const done = async (precision?: 'int8') => {
    const thread = modelThreadHere();
    await thread.ask('init', { ...setupOf(true), precision });
    await thread.ask('load', first());
    const trained = (await thread.ask('train', two))!;
    await thread.close();
    return trained;
  };
  const [plain, quantised, again] = [await done(), await done('int8'), await done('int8')];
  expect(again.parts).toEqual(quantised.parts);
  expect(quantised.parts).not.toEqual(plain.parts);
  const { exact } = await probeInt8(new NodeEngine());
  if (exact) expect(Math.abs(quantised.loss / plain.loss - 1)).toBeLessThan(0.01);
  expect(quantised).toMatchObject({ tokens: plain.tokens, weight: plain.weight, finite: true });
});

it('stops when it is told to, and refuses samples that are not as many as its steps need', async () => {
  const thread = new CommittedModelThread();
  await thread.handle('init', setupOf(true));
  await thread.handle('load', first());
  const training = thread.handle('train', work({ steps: 50, lease: [{ epoch: 0, start: 0, end: 100 }] }), () =>
    thread.cancel(),
  );
  expect(await training).toBeNull();
  await expect(thread.handle('train', work({ steps: 2 }))).rejects.toThrow('2 steps need 4 samples');
  const foreign = work({ lease: [{ epoch: 0, start: 1e6, end: 1e6 + 6 }] });
  await expect(thread.handle('train', foreign)).rejects.toThrow('the data here and at the coordinator differ');
  await thread.handle('close', null);
});

it('has something to do before it trains', async () => {
  await expect(new CommittedModelThread().handle('load', [])).rejects.toThrow('the first command must be init');
});
