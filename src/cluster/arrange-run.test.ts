import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TrainOptions } from '../training/config.js';
import { arrangeRun } from './arrange-run.js';
import { replicaHere } from './cluster.test-support.js';
import { OpenRun } from './open-run.js';
import { prepareRun } from './prepare-run.js';

const source = new URL('../../examples/tinyshakespeare.txt', import.meta.url);
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-arrange-'));
  await writeFile(join(folder, 'text.txt'), (await readFile(source, 'utf8')).slice(0, 8000));
});
afterEach(() => rm(folder, { recursive: true }));

async function arrange(changes: Partial<TrainOptions>) {
  const corpus = [join(folder, 'text.txt')];
  const sizes = { layers: 1, width: 16, heads: 2, context: 16, batchSize: 4 };
  const options: TrainOptions = { corpus, run: join(folder, 'run'), tokenizer: 'chars', ...sizes, ...changes };
  const run = await OpenRun.open(options);
  let started = 0;
  try {
    const prepared = await prepareRun(run, () => {});
    const setup = await arrangeRun(
      run,
      prepared,
      () => {},
      () => {
        started++;
        return replicaHere();
      },
    );
    return { setup, chosen: run.chosen, started };
  } finally {
    await run.release();
  }
}

describe('arrangeRun', () => {
  it('shares the cores out and lets the rate fall over the steps', async () => {
    const { setup, chosen, started } = await arrange({ replicas: 2, steps: 300 });
    const threads = Math.max(1, Math.floor(availableParallelism() / 2));
    expect(setup).toMatchObject({ replicas: 2, threads, exchange: 'parameters', device: 'cpu', averageMoments: true });
    expect(setup.schedule).toEqual({ peak: 3e-3, final: 3e-3 / 10, warmup: 30, steps: 300 });
    expect(setup.outer).toEqual({ method: 'nesterov', learningRate: 0.7, momentum: 0.7 });
    expect(chosen).toMatchObject({ replicas: 2, threads, schedule: setup.schedule, device: 'cpu' });
    expect(chosen).not.toHaveProperty('measured');
    expect(started).toBe(0);
  });

  it.each([
    [{ replicas: 1, syncEvery: 1 }, 'nothing'],
    [{ replicas: 2, syncEvery: 1 }, 'gradients'],
    [{ replicas: 2, syncEvery: 2 }, 'parameters'],
  ] as const)('has replicas exchange what %j asks for', async (changes, exchange) => {
    expect((await arrange(changes)).setup.exchange).toBe(exchange);
  });

  it('takes what is given', async () => {
    const given = { threads: 3, lr: 0.01, minLr: 0, warmup: 7, weightDecay: 0.2, clip: 0, tokens: 1000 } as const;
    const { setup } = await arrange({ ...given, outer: 'average', moments: 'keep' });
    expect(setup).toMatchObject({ threads: 3, averageMoments: false });
    expect(setup.schedule).toEqual({ peak: 0.01, final: 0, warmup: 7, steps: Math.ceil(1000 / 64) });
    expect(setup.optimizer).toMatchObject({ weightDecay: 0.2, clip: 0 });
    expect(setup.outer.method).toBe('average');
  });

  it('measures for minutes, once: a resumed run has the same steps', async () => {
    const first = await arrange({ minutes: 0.2, threads: 1 });
    expect(first.started).toBe(1);
    expect(first.chosen.measured).toHaveLength(1);
    expect(first.setup.schedule.steps).toBeGreaterThan(1);
    const again = await arrange({ minutes: 0.2, threads: 1, resume: true });
    expect(again.started).toBe(0);
    expect(again.setup).toEqual(first.setup);
  });
});
