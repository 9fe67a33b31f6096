import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cutShards, hashShard, hashVector } from '../averaging/shards.js';
import { firstTeamState, type TestData, testData, tinySetup } from './local.test-support.js';
import type { ReplicaSetup, StepDone } from './messages.js';
import { ReplicaThread } from './replica.js';

let data: TestData;
beforeAll(async () => {
  data = await testData();
});
afterAll(() => data.remove());

async function hostOf(changes: Partial<ReplicaSetup> = {}) {
  const { run: _run, stepsPerRound: _syncEvery, ...shared } = tinySetup(data, changes);
  const host = new ReplicaThread();
  await host.handle('init', { ...shared, replica: changes.replica ?? 0 });
  const { parameters } = firstTeamState(data);
  const hash = await host.handle('load', { parameters: parameters.slice() });
  return { host, parameters, hash };
}
const all = { parameters: true, moments: true, outerMomentum: true };

describe('a replica', () => {
  it('is nothing before it is set up', async () => {
    await expect((async () => new ReplicaThread().handle('evaluate', []))()).rejects.toThrow('init');
  });

  it('answers the hash of the parameters that it was given, and gives out copies', async () => {
    const { host, parameters, hash } = await hostOf({ replicas: 3, exchange: 'parameters' });
    expect(hash).toBe(hashVector(parameters, cutShards(parameters.length, 3)));
    const copy = (await host.handle('snapshot', all)).parameters!;
    expect(copy).toEqual(parameters);
    expect(copy).not.toBe(parameters);
    await host.handle('close', null);
  });

  it('trains alone, telling each step, and contributes nothing', async () => {
    const { host, parameters } = await hostOf();
    const steps: StepDone[] = [];
    const trained = await host.handle('train', { step: 3, steps: 4 }, (step) => steps.push(step));
    expect(steps.map(({ step }) => step)).toEqual([3, 4, 5, 6]);
    expect(steps.every(({ loss, gradientNorm }) => loss > 1 && loss < 5 && gradientNorm > 0)).toBe(true);
    expect(trained).toMatchObject({ weight: 4 * 4 * 8, steps: 4, finite: true, norm: 0, parts: [undefined] });
    const after = await host.handle('snapshot', all);
    expect(after.parameters).not.toEqual(parameters);
    expect(after.sampler.microBatches).toBe(4);
    await host.handle('close', null);
  });

  it('goes on with the scale of its loss, where products are in fp16', async () => {
    const { host } = await hostOf({ precision: 'fp16' });
    await host.handle('train', { step: 0, steps: 3 });
    const { sampler, parameters } = await host.handle('snapshot', all);
    expect(sampler.lossScale).toEqual({ scale: 2 ** 16, steps: 3 });
    await host.handle('load', {
      parameters: parameters!,
      sampler: { ...sampler, lossScale: { scale: 64, steps: 1999 } },
    });
    await host.handle('train', { step: 3, steps: 1 });
    expect((await host.handle('snapshot', all)).sampler.lossScale).toEqual({ scale: 128, steps: 0 });
    await host.handle('close', null);
  });

  it('contributes its values of the other shards and the length of its pseudo-gradient', async () => {
    const { host, parameters } = await hostOf({ replicas: 2, replica: 1, exchange: 'parameters' });
    const { norm, parts } = await host.handle('train', { step: 0, steps: 2 });
    const state = await host.handle('snapshot', all);
    const [first] = cutShards(parameters.length, 2);
    const moments = [state.moment1, state.moment2] as Float32Array[];
    const expected = [state.parameters!, ...moments].flatMap((vector) => [
      ...vector.subarray(first!.start, first!.end),
    ]);
    expect([...parts[0]!]).toEqual(expected);
    expect(parts[1]).toBeUndefined();
    const distance = Math.hypot(...parameters.map((value, i) => value - state.parameters![i]!));
    expect(norm).toBeCloseTo(distance, 4);
    await host.handle('close', null);
  });

  it('sums its shard into the parts, and takes those of the others', async () => {
    const setup = { replicas: 2, exchange: 'parameters', averageMoments: false } as const;
    const { host, parameters } = await hostOf({ ...setup, outer: { method: 'average', learningRate: 1, momentum: 0 } });
    const { parts } = await host.handle('train', { step: 0, steps: 1 });
    const before = (await host.handle('snapshot', all)).parameters!;
    const [own, other] = cutShards(parameters.length, 2) as [
      { start: number; end: number },
      { start: number; end: number },
    ];
    const sent = new Float32Array(own.end - own.start).fill(0.5);
    const merged = await host.handle('merge', { weights: [0.25, 0.75], total: 128, parts: [undefined, sent] });
    const expected = [...before.subarray(own.start, own.end)].map((value) => 0.25 * value + 0.75 * 0.5);
    for (const i of [0, 7, expected.length - 1]) expect(merged.parts[1]![i]).toBeCloseTo(expected[i]!, 6);
    parts[1]!.fill(0.125);
    const taken = await host.handle('take', { step: 0, parts, squares: 0 });
    const after = (await host.handle('snapshot', all)).parameters!;
    expect(after.subarray(own.start, own.end)).toEqual(merged.parts[1]);
    expect(after.subarray(other.start, other.end).every((value) => value === 0.125)).toBe(true);
    expect(merged.hash).toBe(hashShard(after, own));
    expect(taken.hash).toBe(hashVector(after, [own, other]));
    await host.handle('close', null);
  });

  it('stops between two steps when it is told to', async () => {
    const { host } = await hostOf();
    const steps: number[] = [];
    const training = host.handle('train', { step: 0, steps: 1000 }, ({ step }) => {
      steps.push(step);
      if (step === 2) host.cancel();
    });
    await expect(training).rejects.toThrow('told to stop');
    expect(steps).toEqual([0, 1, 2]);
    expect((await host.handle('train', { step: 3, steps: 1 })).steps).toBe(1);
    await host.handle('close', null);
  });

  it('ends at a step that is not finite', async () => {
    const { host, parameters } = await hostOf();
    await host.handle('load', { parameters: parameters.map(() => Number.NaN) });
    const trained = await host.handle('train', { step: 5, steps: 9 });
    expect(trained.finite).toBe(false);
    expect(trained.fault).toMatchObject({ step: 5, loss: Number.NaN });
    await host.handle('close', null);
  });
});
