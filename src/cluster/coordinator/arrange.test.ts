import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { CONTEXT, tinyModel } from '../../local/local.test-support.js';
import { CAUSAL } from '../../objectives/create.js';
import { OpenRun } from '../../run/open-run.js';
import type { TrainOptions } from '../../run/options.js';
import type { PreparedData } from '../../run/prepare-model.js';
import type { ClusterOptions } from '../options.js';
import { arrangeCluster } from './arrange.js';

const folder = await mkdtemp(join(tmpdir(), 'meanfield-arrange-'));
afterAll(() => rm(folder, { recursive: true }));
let runs = 0;

/** Opens a run, decides, and lets go of its folder. */
async function arranged(given: Partial<TrainOptions>, cluster?: ClusterOptions, more?: Partial<PreparedData>) {
  const path = join(folder, `r${runs++}`);
  const fresh = { run: path, steps: 40, batchSize: 2 };
  const run = await OpenRun.open({ corpus: ['text.txt'], ...(given.resume ? {} : fresh), ...given });
  try {
    const model = tinyModel(10);
    return {
      ...(await arrangeCluster(
        run,
        { model, learned: {}, task: { objective: CAUSAL }, ...more } as PreparedData,
        cluster,
      )),
      path,
    };
  } finally {
    await run.release();
  }
}

it('decides what the options leave open, and reads it again on resuming', async () => {
  const first = await arranged({ syncEvery: 10, seed: 3 }, { format: 'int8' });
  expect(first.id).toMatch(/^[\da-f]{12}$/);
  expect(first.context).toMatchObject({ steps: 10, samplesPerStep: 2, tokensPerStep: 2 * CONTEXT, fragments: 1 });
  expect(first.setup).toMatchObject({ seed: 3, averageMoments: true, outer: { method: 'nesterov' } });
  expect(first.setup.cluster).toMatchObject({ format: 'int8', fragments: 1 });
  const again = await arranged({ run: first.path, resume: true });
  expect({ ...again, path: first.path }).toEqual(first);
});

it('takes the plain mean where every step is averaged', async () => {
  const { setup } = await arranged({ syncEvery: 1 });
  expect(setup.outer.method).toBe('average');
});

it('takes the plain mean where Muon trains, unless told otherwise', async () => {
  const matrices = [{ start: 0, rows: 4, columns: 4 }];
  const methods = [];
  for (const given of [{}, { outer: 'nesterov' }, { optimizer: 'adamw' }] as const)
    methods.push((await arranged(given, undefined, { matrices })).setup.outer.method);
  expect(methods).toEqual(['average', 'nesterov', 'nesterov']);
});

it('gives each fragment its turn once every H steps', async () => {
  const { context, fragments, setup } = await arranged(
    { syncEvery: 10, moments: 'keep' },
    { fragments: 2, overlap: 9, mixing: 0.5 },
  );
  expect(fragments).toHaveLength(2);
  expect(context).toMatchObject({ steps: 5, fragments: 2 });
  // A result that comes later than the next one would never be mixed in.
  expect(setup.cluster.overlap).toBe(5);
});

it('refuses what does not go together', async () => {
  await expect(arranged({ moments: 'average' }, { fragments: 2 })).rejects.toThrow(
    /`moments: 'keep'`, or `fragments: 1`/,
  );
  const { path } = await arranged({}, { format: 'int8' });
  await expect(arranged({ run: path, resume: true }, { format: 'int4' })).rejects.toThrow(
    /started with other options: `format`/,
  );
});

it('leaves a run of one machine to train', async () => {
  const path = join(folder, 'single');
  const run = await OpenRun.open({ corpus: ['text.txt'], run: path, steps: 40 });
  await run.choose({ device: 'cpu', schedule: { peak: 1, final: 0.1, warmup: 0, steps: 40 } });
  await run.release();
  await expect(arranged({ run: path, resume: true })).rejects.toThrow(
    /trained on one machine.*meanfield train --resume/,
  );
});
