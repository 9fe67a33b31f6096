import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { layoutHash } from '../averaging/layout-hash.js';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { sha256File } from '../base/hash.js';
import { Model } from '../model/model.js';
import { initialParameters } from '../run/start-vectors.js';
import { event, TestCluster } from './cluster.test-support.js';
import { restoreRun } from './coordinator/restore.js';
import { configurationSchema } from './protocol/configuration.js';
import { decodeMessage, encodeMessage } from './protocol/wire.js';

let cluster: TestCluster | undefined;
afterEach(async () => {
  await cluster?.remove();
  cluster = undefined;
});

const freeze = ['*', '!h.0.mlp.*,!ln_f.*'];
const isTrained = (name: string) => /\.mlp\.|\.ln_f\./.test(name);
const json = async (path: string) => JSON.parse(await readFile(path, 'utf8'));

async function tensors(path: string): Promise<ReadonlyMap<string, Float32Array>> {
  const file = await SafetensorsFile.open(path);
  const all = new Map<string, Float32Array>();
  for (const name of file.tensors.keys()) all.set(name, await file.readFloat32(name));
  await file.close();
  return all;
}

/** What the run's model is, and what it was before its first step. */
async function models({ folder }: TestCluster) {
  const model = Model.fromConfig(await json(join(folder, 'model/config.json')));
  return {
    model: model.freeze(freeze),
    now: await tensors(join(folder, 'model/model.safetensors')),
    first: model.layout.views(initialParameters(model, 5)),
  };
}

it('machines train, exchange and save the trained part alone; the other comes to each once', async () => {
  cluster = await TestCluster.create({ freeze, checkpointEvery: 10 }, { minWorkers: 2 });
  const coordinator = cluster.coordinator();
  const workers = [cluster.worker({ cache: join(cluster.folder, '../a') }), cluster.worker({ replicas: 2 })];
  expect((await coordinator.run.result).step).toBeGreaterThanOrEqual(20);
  for (const worker of workers) expect((await worker.run.result).ended).toBe('finished');
  const { model, now, first } = await models(cluster);
  for (const [name, values] of now) {
    if (isTrained(name)) expect(values, name).not.toEqual(first[name]);
    else expect(values, name).toEqual(first[name]);
  }
  const sha256 = await sha256File(join(cluster.folder, 'frozen.safetensors'));
  const { chosen } = await json(join(cluster.folder, 'run.json'));
  expect(chosen.frozen).toEqual({ parameters: model.frozen.size, sha256 });
  for (const cache of ['a', 'cache'])
    expect(await readdir(join(cluster.folder, '..', cache))).toContain(`frozen-${sha256}.safetensors`);
  const [step] = (await readdir(join(cluster.folder, 'checkpoints'))).reverse();
  const checkpoint = join(cluster.folder, 'checkpoints', step!);
  expect([...(await tensors(join(checkpoint, 'model.safetensors'))).keys()].every(isTrained)).toBe(true);
  expect((await tensors(join(checkpoint, 'optimizer.safetensors'))).get('outer_momentum')).toHaveLength(
    model.trained.size,
  );
  const { state } = await json(join(checkpoint, 'state.json'));
  expect(state.rounds.layout).toEqual({ hash: layoutHash(model.trained), length: model.trained.size });
  expect(coordinator.events.find(({ type }) => type === 'started')).toMatchObject({ frozen: model.frozen.size });
});

it('parts of the trained part are exchanged in turn, in a few bits', async () => {
  cluster = await TestCluster.create({ freeze, syncEvery: 4 }, { fragments: 2, format: 'int8' });
  const coordinator = cluster.coordinator();
  await cluster.worker().run.result;
  expect((await coordinator.run.result).step).toBeGreaterThanOrEqual(20);
  const { now, first } = await models(cluster);
  for (const [name, values] of now)
    expect(Buffer.from(values.buffer).equals(Buffer.from(first[name]!.slice().buffer)), name).toBe(!isTrained(name));
});

it('a coordinator that is killed goes on with what is frozen, here and on another machine', async () => {
  cluster = await TestCluster.create({ freeze, steps: 1_000_000 });
  const first = cluster.coordinator();
  const worker = cluster.worker();
  await event(first.events, 'round', ({ round }) => round >= 3);
  await first.kill();
  const second = cluster.coordinator(true);
  const { round } = await event(second.events, 'leading');
  await event(second.events, 'round', (one) => one.round > round);
  await second.kill();
  const other = join(cluster.folder, '../other');
  await restoreRun(cluster.network.connect().transport, other, cluster.network.key);
  const [mine, theirs] = [cluster.folder, other].map((folder) => join(folder, 'frozen.safetensors'));
  expect((await readFile(theirs!)).equals(await readFile(mine!))).toBe(true);
  const third = cluster.coordinator(true, other);
  const { round: later } = await event(third.events, 'leading');
  cluster.worker();
  expect(later).toBeGreaterThan(round);
  await event(third.events, 'round', (one) => one.round > later);
  third.run.stop();
  expect((await third.run.result).interrupted).toBe(true);
  worker.kill();
});

it('neither a coordinator nor who joins goes on beside other frozen parameters', async () => {
  cluster = await TestCluster.create({ freeze });
  const coordinator = cluster.coordinator();
  await cluster.worker().run.result;
  await coordinator.run.result;
  const path = join(cluster.folder, 'frozen.safetensors');
  await copyFile(path, join(cluster.folder, '../kept'));
  const bytes = await readFile(path);
  bytes[bytes.length - 2]! ^= 1;
  await writeFile(path, bytes);
  await expect(cluster.coordinator(true).run.result).rejects.toThrow(
    /must hold the frozen parameters of the run: its sha256/,
  );
  const record = await json(join(cluster.folder, 'run.json'));
  const other = { ...record.chosen.frozen, sha256: await sha256File(path) };
  const changed = { ...record, chosen: { ...record.chosen, frozen: other } };
  await writeFile(join(cluster.folder, 'run.json'), JSON.stringify(changed));
  await expect(cluster.coordinator(true).run.result).rejects.toThrow(/was trained beside other frozen parameters/);
  await writeFile(join(cluster.folder, 'run.json'), JSON.stringify(record));
  await rm(path);
  await expect(cluster.coordinator(true).run.result).rejects.toThrow(/there is no such file/);
  await copyFile(join(cluster.folder, '../kept'), path);
});

it('who joins is told that the frozen parameters it was sent are not those of the run', async () => {
  cluster = await TestCluster.create({ freeze }, { minWorkers: 2 });
  const coordinator = cluster.coordinator();
  await event(coordinator.events, 'leading');
  cluster.network.blobs.get('run/frozen/0')![2000]! ^= 1;
  await expect(cluster.worker().run.result).rejects.toThrow(/run\/frozen\/0/);
});

it('a configuration names the file of what is frozen, and no more patterns than can be tried', async () => {
  cluster = await TestCluster.create({ freeze }, { minWorkers: 2 });
  await event(cluster.coordinator().events, 'leading');
  const bytes = cluster.network.blobs.get('run/configuration')!;
  const { setup, frozen, ...rest } = decodeMessage(bytes, configurationSchema, 'it');
  expect(setup.freeze).toEqual(freeze);
  expect(frozen!.sha256).toBe(await sha256File(join(cluster.folder, 'frozen.safetensors')));
  const changed = encodeMessage({ ...rest, frozen, setup: { ...setup, freeze: ['*'.repeat(6000), '*'.repeat(6000)] } });
  expect(() => decodeMessage(changed, configurationSchema, 'it')).toThrow(/at most 10000 characters/);
});
