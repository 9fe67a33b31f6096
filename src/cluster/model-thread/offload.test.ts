import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { testData, tinyModel } from '../../local/local.test-support.js';
import { PLACEMENTS } from '../../local/offload-need.js';
import { initialParameters } from '../../run/start-vectors.js';
import { MemoryNetwork } from '../../transport/memory-transport.test-support.js';
import { modelThreadHere } from '../cluster.test-support.js';
import { withParts } from '../parts.js';
import type { Work } from '../protocol/down.js';
import { getSnapshotFile, putSnapshot } from '../snapshot.js';
import type { Trained } from './commands.js';
import { hostSetupOf } from './thread.test-support.js';

const data = await testData(4000);
const model = tinyModel(data.vocabulary);
const folder = await mkdtemp(join(tmpdir(), 'offloaded-member-'));
afterAll(async () => {
  await data.remove();
  await rm(folder, { recursive: true });
});

const outer = { method: 'nesterov', learningRate: 0.7, momentum: 0.7 } as const;
const first = () => [initialParameters(model, 5), new Float32Array(model.layout.size)];
const work = (round: number): Work => ({
  ...{ steps: 3, fragment: 0, position: 3 * round, advance: 3 },
  lease: [{ epoch: 0, start: 6 * round, end: 6 * round + 6 }],
});

/** The parts of a contribution, wherever they are. */
function partsOf({ parts, file }: Trained): Promise<Uint8Array[]> {
  const all = file ?? parts;
  const count = file ? file.sizes.length : parts.length;
  return withParts(all, (part) => Promise.all(Array.from({ length: count }, (_, i) => part(i))));
}

it.each(['fp32', 'int4'] as const)('rounds on disk come to the bits of rounds in memory, in %s', async (format) => {
  const setupOf = (offload: keyof typeof PLACEMENTS | undefined, trains = true) => {
    const setup = hostSetupOf(data, model, trains, { outer });
    const { run } = setup;
    const place = offload && { folder: join(folder, `${format}-${offload}`), ...PLACEMENTS[offload] };
    return { ...setup, run: { ...run, gradAccum: 1, cluster: { ...run.cluster, format } }, offload: place };
  };
  const [disk, memory, whole, keeper] = [modelThreadHere(), modelThreadHere(), modelThreadHere(), modelThreadHere()];
  await Promise.all([disk.ask('init', setupOf('all')), memory.ask('init', setupOf('moments'))]);
  await Promise.all([whole.ask('init', setupOf(undefined)), keeper.ask('init', setupOf(undefined, false))]);
  const { blobs } = new MemoryNetwork().connect().transport;
  const list = await putSnapshot(blobs, 'run/s/0', first());
  const snapshot = await getSnapshotFile(blobs, list, 2, model.layout.size, join(folder, 'snapshot'));
  const hash = await disk.ask('load', snapshot);
  for (const thread of [memory, whole, keeper]) expect(await thread.ask('load', first())).toBe(hash);

  for (const round of [0, 1]) {
    const trained = [await disk.ask('train', work(round)), await memory.ask('train', work(round))];
    const [own, other] = await Promise.all(trained.map((one) => partsOf(one!)));
    expect(own).toEqual(other);
    expect(trained[0]).toMatchObject({ loss: trained[1]!.loss, norm: trained[1]!.norm, finite: true });
    // Whole, sums run in another order, and nothing else is other.
    const sameSteps = (await whole.ask('train', work(round)))!;
    expect(sameSteps.norm / trained[0]!.norm).toBeCloseTo(1, 3);
    const merged: Uint8Array[] = [];
    for (const [shard, part] of own!.entries()) {
      const request = { fragment: 0, shard, weights: [0.5, 0.5], norms: [trained[0]!.norm, trained[1]!.norm] };
      const sums = [disk, keeper].map((thread) =>
        thread.ask('reduce', { ...request, parts: [part.slice(), other![shard]!.slice()] }),
      );
      const [a, b] = (await Promise.all(sums)) as { merged: Uint8Array }[];
      expect(a).toEqual(b);
      merged.push(a!.merged);
    }
    const copies = () => merged.map((part) => part.slice());
    const applied = await keeper.ask('apply', { fragment: 0, parts: copies() });
    for (const thread of [disk, memory, whole]) {
      expect((await thread.ask('apply', { fragment: 0, parts: copies() })).hash).toBe(applied.hash);
      await thread.ask('rollback', null);
    }
  }
  await Promise.all([disk, memory, whole, keeper].map((thread) => thread.close()));
});

it('goes back to what is committed, to the bit', async () => {
  const thread = modelThreadHere();
  const offload = { folder: join(folder, 'again'), ...PLACEMENTS.all };
  await thread.ask('init', { ...hostSetupOf(data, model, true, { outer }), offload });
  await thread.ask('load', first());
  const trained = (await thread.ask('train', work(0)))!;
  expect(trained.norm).toBeGreaterThan(0);
  await thread.ask('rollback', null);
  const nothing = (await thread.ask('train', { ...work(0), steps: 0, lease: [] }))!;
  expect(nothing.norm).toBe(0);
  await thread.close();
});
