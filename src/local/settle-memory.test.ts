import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { NoticeEvent, TrainEvent } from '../run/events.js';
import { OpenRun } from '../run/open-run.js';
import type { TrainOptions } from '../run/options.js';
import { prepareRun } from '../run/prepare-run.js';
import { MOMENTS_PRECISIONS } from '../training/optimizers.js';
import { arrangeRun } from './arrange-run.js';
import { settleMemory } from './settle-memory.js';
import { layeredWays, wholeWays } from './ways.js';

const source = new URL('../../examples/tinyshakespeare.txt', import.meta.url);
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-settle-'));
  await writeFile(join(folder, 'text.txt'), (await readFile(source, 'utf8')).slice(0, 4000));
});
afterEach(() => rm(folder, { recursive: true }));

async function settle(changes: Partial<TrainOptions>) {
  const corpus = [join(folder, 'text.txt')];
  const sizes = { layers: 6, width: 256, heads: 4, context: 16, batchSize: 1, threads: 1, steps: 10 };
  const options: TrainOptions = { corpus, run: join(folder, 'run'), tokenizer: 'chars', ...sizes, ...changes };
  const run = await OpenRun.open(options);
  try {
    const notices: NoticeEvent[] = [];
    const emit = (event: TrainEvent) => event.type === 'notice' && event.fit && notices.push(event);
    const prepared = await prepareRun(run, emit, undefined, (known) => settleMemory(run, known, emit));
    const { setup } = await arrangeRun(run, prepared, emit);
    return { run, prepared, setup, notice: notices[0] };
  } finally {
    await run.release();
  }
}

it('leaves a run as it is that has no memory named', async () => {
  const { notice, run, setup } = await settle({});
  expect([notice, run.chosen.offload, setup.recompute, setup.offload]).toEqual(Array(4).fill(undefined));
});

it('takes the fastest way that fits, keeps it, and goes on with it whatever the memory is by then', async () => {
  // Named, so that no others are tried.
  const few = { momentsPrecision: 'bf16' as const };
  const roomy = await settle({ ...few, memory: 4, run: join(folder, 'roomy') });
  expect(roomy.notice!.fit).toMatchObject({ offload: 'none', recompute: false, stepFactor: 1, diskBytes: 0 });
  expect(roomy.setup).toMatchObject({ recompute: false, optimizer: { muon: expect.anything() } });
  const { learned } = roomy.prepared;
  const sizes = { ...roomy.setup, learned };
  const [moments] = layeredWays(roomy.run.options, { ...sizes, threads: 1 });
  expect(moments!.total).toBeLessThan(
    Math.min(...[...wholeWays({ ...sizes, recompute: undefined })].map((w) => w.total)),
  );
  const little = await settle({ ...few, memory: moments!.total / 1e9 });
  expect(little.notice!.fit).toMatchObject({ offload: 'moments', memoryBytes: moments!.total });
  expect(little.notice!.message).toMatch(
    /layer by layer with the moments on disk.*AdamW trains all in place of Muon\.$/,
  );
  expect(little.setup.offload!.resident).toEqual(['parameters', 'gradient']);
  expect(little.setup.optimizer.muon).toBeUndefined();
  expect(little.run.chosen).toMatchObject({ offload: 'moments' });
  const again = await settle({ resume: true, memory: 4 });
  expect(again.notice!.fit).toMatchObject({ offload: 'moments', limitBytes: 4e9 });
  expect(again.setup).toEqual(little.setup);
  const without = await settle({ resume: true, memory: undefined as never });
  expect(without.setup).toEqual(little.setup);
  await expect(settle({ resume: true, memory: 0.1 })).rejects.toThrow('does not fit into `memory: 0.1`');
});

it('keeps moments in fewer bits where that is the fastest that fits, and goes on so', async () => {
  const roomy = await settle({ memory: 4, run: join(folder, 'roomy') });
  const sizes = { ...roomy.setup, learned: roomy.prepared.learned, recompute: undefined };
  const ways = [...wholeWays(sizes, { keeping: MOMENTS_PRECISIONS })];
  const bf16 = ways.find(({ momentsPrecision, recompute }) => momentsPrecision === 'bf16' && !recompute)!;
  const memory = (bf16.total + 1) / 1e9;
  const little = await settle({ memory });
  expect(little.notice!.fit).toMatchObject({ offload: 'none', momentsPrecision: 'bf16', memoryBytes: bf16.total });
  expect(little.notice!.message).toContain('as a whole in memory with moments in bf16, the fastest that fits');
  expect(little.setup.optimizer).toMatchObject({ muon: expect.anything(), moments: { precision: 'bf16' } });
  expect(little.setup.replicas).toBe(1);
  const again = await settle({ resume: true, memory: 4 });
  expect(again.setup).toEqual(little.setup);
  // What is named is not changed.
  const named = await settle({ memory, momentsPrecision: 'int8', run: join(folder, 'named') });
  expect(named.setup.optimizer.moments).toMatchObject({ precision: 'int8' });
});

it('holds to an offload that is named, and refuses with the sum', async () => {
  const { notice } = await settle({ memory: 4, offload: 'all' });
  expect(notice!.fit).toMatchObject({ offload: 'all' });
  await expect(settle({ memory: 0.1, run: join(folder, 'b') })).rejects.toThrow(
    /does not fit into `memory: 0\.1`:\n(- as a whole.*\n)+- layer by layer with the moments.*\n- layer by layer with everything on disk it takes about \d+ MB: \d+ MB for the layers[^\n]*\n- layer by layer with everything and the hidden states on disk it takes[^\n]*\n`memory: 0\.\d+` would do/,
  );
  await expect(settle({ memory: 0.1, optimizer: 'muon', run: join(folder, 'c') })).rejects.toThrow(
    /cannot be trained \(optimizer: it has AdamW alone.*\n`memory: 0\.\d+` would do, with the model in memory/,
  );
  await expect(settle({ memory: 0.1, offload: 'none', run: join(folder, 'd') })).rejects.toThrow(
    /^(?!.*layer by layer)/s,
  );
});

it('reckons with what replicas share out, and refuses with that sum what does not fit', async () => {
  const shared = { replicas: 2, zero: 3 } as const;
  const { notice, setup } = await settle({ ...shared, memory: 4, run: join(folder, 'shared') });
  expect(setup.stage).toBe(3);
  expect(notice!.fit).toMatchObject({ offload: 'none', diskBytes: 0 });
  expect(notice!.message).toContain('layer by layer with parameters, gradients and moments shared out');
  const memory = Number((notice!.fit!.memoryBytes / 1e9 - 0.02).toFixed(3));
  await expect(settle({ ...shared, memory, run: join(folder, 'little') })).rejects.toThrow(
    'layer by layer with parameters, gradients and moments shared out it takes about',
  );
});
