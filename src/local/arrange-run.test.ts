import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TrainEvent } from '../run/events.js';
import { OpenRun } from '../run/open-run.js';
import type { TrainOptions } from '../run/options.js';
import { prepareRun } from '../run/prepare-run.js';
import { arrangeRun } from './arrange-run.js';
import { replicaHere } from './local.test-support.js';

const source = new URL('../../examples/tinyshakespeare.txt', import.meta.url);
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-arrange-'));
  await writeFile(join(folder, 'text.txt'), (await readFile(source, 'utf8')).slice(0, 8000));
});
afterEach(() => rm(folder, { recursive: true }));

async function arrange(changes: Partial<TrainOptions>, from = 0) {
  const corpus = [join(folder, 'text.txt')];
  const sizes = { layers: 1, width: 16, heads: 2, context: 16, batchSize: 4 };
  const options: TrainOptions = { corpus, run: join(folder, 'run'), tokenizer: 'chars', ...sizes, ...changes };
  const run = await OpenRun.open(options);
  let started = 0;
  try {
    const prepared = await prepareRun(run, () => {});
    const notices: string[] = [];
    const emit = (event: TrainEvent) => event.type === 'notice' && notices.push(event.message);
    const arranged = await arrangeRun(run, prepared, emit, from, () => {
      started++;
      return replicaHere();
    });
    return { ...arranged, chosen: run.chosen, started, notices };
  } finally {
    await run.release();
  }
}

describe('arrangeRun', () => {
  it('shares the cores out and lets the rate fall over the steps', async () => {
    const { setup, chosen, started } = await arrange({ replicas: 2, steps: 300 });
    const threads = Math.max(1, Math.floor(availableParallelism() / 2));
    expect(setup).toMatchObject({ replicas: 2, threads, exchange: 'parameters', device: 'cpu', averageMoments: true });
    expect(setup.schedule).toEqual({ shape: 'linear', peak: 3e-3, final: 0, warmup: 30, steps: 300 });
    expect(setup.outer).toMatchObject({ method: 'average' });
    expect(chosen).toMatchObject({ replicas: 2, threads, schedule: setup.schedule, device: 'cpu' });
    expect(chosen).not.toHaveProperty('measured');
    expect(started).toBe(0);
  });

  it.each([
    [{ replicas: 2 }, 'average', 5],
    [{ replicas: 1 }, 'average', 25],
    [{ replicas: 2, optimizer: 'adamw' }, 'nesterov', 25],
    [{ replicas: 2, syncEvery: 7, outer: 'nesterov' }, 'nesterov', 7],
    [{ replicas: 2, optimizer: 'adamw', outer: 'average' }, 'average', 25],
  ] as const)('averages replicas as suits what trains them, with %j, and keeps it', async (changes, method, steps) => {
    const { setup, chosen } = await arrange(changes);
    expect(setup.outer).toEqual({ method, learningRate: 0.7, momentum: 0.7 });
    expect(setup.stepsPerRound).toBe(steps);
    expect(chosen.averaging).toEqual({ outer: method, sync_every: steps });
  });

  it('goes on averaging as the run was begun, whatever is the default by now', async () => {
    await arrange({ replicas: 2 });
    const path = join(folder, 'run/run.json');
    const record = JSON.parse(await readFile(path, 'utf8'));
    record.chosen.averaging = { outer: 'nesterov', sync_every: 9 };
    await writeFile(path, JSON.stringify(record));
    const { setup } = await arrange({ replicas: 2, resume: true });
    expect([setup.outer.method, setup.stepsPerRound]).toEqual(['nesterov', 9]);
  });

  it.each([
    [{ replicas: 1, syncEvery: 1 }, 'nothing'],
    [{ replicas: 2, syncEvery: 1 }, 'gradients'],
    [{ replicas: 2, syncEvery: 2 }, 'parameters'],
  ] as const)('has replicas exchange what %j asks for', async (changes, exchange) => {
    expect((await arrange(changes)).setup.exchange).toBe(exchange);
  });

  it('shares moments out between replicas that average gradients, where that is asked for', async () => {
    const shared = await arrange({ replicas: 2, zero: 1, optimizer: 'muon' });
    expect(shared.setup).toMatchObject({ sharded: true, exchange: 'gradients', stepsPerRound: 1 });
    expect(shared.chosen.averaging?.sync_every).toBe(1);
    expect((await arrange({ replicas: 2, resume: true, zero: 0 })).setup).toMatchObject({
      ...{ sharded: false, exchange: 'gradients' },
    });
    const one = await arrange({ replicas: 1, zero: 1, run: join(folder, 'one') });
    expect(one.setup).toMatchObject({ sharded: false, exchange: 'nothing' });
    const apart = { replicas: 2, run: join(folder, 'apart') };
    await arrange(apart);
    const inBlocks = arrange({ replicas: 2, zero: 1, momentsPrecision: 'int8', run: join(folder, 'blocks') });
    await expect(inBlocks).rejects.toThrow('in blocks, which other cuts would not fit');
    await expect(arrange({ ...apart, resume: true, zero: 1 })).rejects.toThrow("this run's average every 5 steps");
  });

  it('shares parameters out between replicas that go through the model together, by AdamW', async () => {
    const shared = await arrange({ replicas: 2, zero: 3 });
    expect(shared.setup).toMatchObject({ stage: 3, sharded: false, exchange: 'nothing', stepsPerRound: 1 });
    expect(shared.chosen.optimizer?.muon).toBeUndefined();
    // What it is resumed with may share out less.
    expect((await arrange({ replicas: 2, resume: true, zero: 1 })).setup).toMatchObject({
      ...{ sharded: true, exchange: 'gradients' },
    });
    const one = await arrange({ replicas: 1, zero: 3, run: join(folder, 'alone') });
    expect(one.setup.stage).toBeUndefined();
    const muon = { replicas: 2, syncEvery: 1, run: join(folder, 'muon') };
    await arrange(muon);
    await expect(arrange({ ...muon, resume: true, zero: 2 })).rejects.toThrow(
      "this run's matrices are trained by Muon",
    );
    const masked = arrange({ replicas: 2, zero: 2, objective: 'masked', run: join(folder, 'masked') });
    await expect(masked).rejects.toThrow('cannot be trained layer by layer');
  });

  it('trains in 8 bits where that is asked for and the processor can, keeps what it chose, and says otherwise', async () => {
    const { setup, chosen, notices } = await arrange({ precision: 'int8' });
    expect(chosen.precision).toBe(setup.precision);
    if (setup.precision === 'fp32') expect(notices).toEqual([expect.stringContaining('in fp32 instead of int8')]);
    else expect(notices).toEqual([]);
    expect((await arrange({ run: join(folder, 'plain') })).chosen).not.toHaveProperty('precision');
  });

  it('does not train a model that exists in 8 bits', async () => {
    await expect(arrange({ precision: 'int8', from: folder })).rejects.toThrow(
      "`precision: 'int8'` is for new models: one that exists has activations that 8 bits do not hold. Leave `precision` or " +
        '`from` out.',
    );
  });

  it('trains in 16 bits on a device that has them, and says where it cannot', async () => {
    const { setup, chosen, notices } = await arrange({ precision: 'fp16', device: 'cpu' });
    expect([setup.precision, chosen.precision]).toEqual(['fp32', 'fp32']);
    expect(notices).toEqual([
      'onnxruntime-node/cpu has no products in fp16 (it computes in float32): products are computed in fp32 instead of fp16.',
    ]);
  });

  it('has one replica on WebGPU, whose threads cannot share it', async () => {
    expect((await arrange({ device: 'webgpu', replicas: 'auto' })).setup).toMatchObject({ replicas: 1, threads: 1 });
    await expect(arrange({ device: 'webgpu', replicas: 2, run: join(folder, 'two') })).rejects.toThrow(
      '`replicas: 2` would share one GPU',
    );
  });

  it('does not average every gradient in fp16, whose steps may be left out', async () => {
    await expect(arrange({ precision: 'fp16', syncEvery: 1 })).rejects.toThrow('Take `syncEvery` of 2 or more.');
  });

  it('takes what is given', async () => {
    const given = {
      threads: 3,
      lr: 0.01,
      minLr: 1e-4,
      schedule: 'cosine',
      warmup: 7,
      weightDecay: 0.2,
      clip: 0,
      tokens: 1000,
    } as const;
    const { setup } = await arrange({ ...given, outer: 'average', moments: 'keep' });
    expect(setup).toMatchObject({ threads: 3, averageMoments: false });
    expect(setup.schedule).toEqual({
      shape: 'cosine',
      peak: 0.01,
      final: 1e-4,
      warmup: 7,
      steps: Math.ceil(1000 / 64),
    });
    expect(setup.optimizer).toMatchObject({ weightDecay: 0.2, clip: 0 });
    expect(setup.outer.method).toBe('average');
  });

  it('lets the rate fall to nothing only where the run ends with it', async () => {
    const last = async (changes: Partial<TrainOptions>) => (await arrange({ steps: 20, ...changes })).setup.schedule;
    expect(await last({ untilLoss: 1 })).toMatchObject({ shape: 'linear', final: 0 });
    await rm(join(folder, 'run'), { recursive: true });
    expect(await last({ schedule: 'cosine' })).toMatchObject({ shape: 'cosine', final: 3e-3 / 10 });
    await rm(join(folder, 'run'), { recursive: true });
    // The loss alone ends it: it may go on at the last rate.
    expect(await last({ steps: undefined as never, untilLoss: 1 })).toMatchObject({
      shape: 'linear',
      final: 3e-3 / 10,
    });
  });

  it('has Muon train the matrices of a new model that learns the next token, unless told otherwise', async () => {
    const { setup, chosen } = await arrange({ steps: 20 });
    expect(setup.optimizer.muon).toMatchObject({ momentum: 0.95 });
    expect(setup.optimizer.muon!.matrices).toHaveLength(7);
    expect(chosen.optimizer).toEqual(setup.optimizer);
    await rm(join(folder, 'run'), { recursive: true });
    expect((await arrange({ steps: 20, optimizer: 'adamw' })).setup.optimizer).not.toHaveProperty('muon');
    await rm(join(folder, 'run'), { recursive: true });
    expect((await arrange({ steps: 20, model: 'bert' })).setup.optimizer).not.toHaveProperty('muon');
    await rm(join(folder, 'run'), { recursive: true });
    await expect(arrange({ steps: 20, optimizer: 'muon', freeze: ['*.weight', '!norm.weight'] })).rejects.toThrow(
      "`optimizer: 'muon'` trains whole matrices",
    );
  });

  it('leaves a run by time to the clock, without measuring', async () => {
    const { setup, started } = await arrange({ minutes: 0.2, threads: 1 });
    expect(started).toBe(0);
    expect(setup.schedule).toEqual({ shape: 'linear', peak: 3e-3, final: 0, warmup: 100, steps: 2000, seconds: 12 });
  });

  it('measures arrangements in turn for auto, and says what it saw', async () => {
    const { started, chosen, notices } = await arrange({ replicas: 'auto', threads: 1, steps: 10 });
    if (availableParallelism() < 2) return;
    expect(started).toBe(1 + Math.min(8, availableParallelism()));
    expect(chosen.measured).toHaveLength(2);
    expect(notices).toEqual([
      expect.stringMatching(/^Measured for automatic replicas: 1 replica of 1 thread \d+ tokens\/s \(/),
    ]);
    const again = await arrange({ replicas: 'auto', threads: 1, steps: 10, resume: true });
    expect([again.started, again.setup.replicas]).toEqual([0, chosen.replicas]);
  });

  it('keeps the schedules of a run that is made longer, each up to where the next begins', async () => {
    const first = await arrange({ steps: 100 });
    const second = await arrange({ steps: 300, resume: true }, 100);
    expect(second.setup.schedule).toEqual({ ...first.setup.schedule, steps: 300 });
    expect(second.earlier).toEqual([{ until: 100, schedule: first.setup.schedule }]);
    expect(second.notices).toEqual([
      expect.stringContaining('Goes on to 300 steps instead of 100 steps: from step 100 on'),
    ]);
    const same = await arrange({ resume: true }, 150);
    expect([same.setup.schedule, same.earlier]).toEqual([second.setup.schedule, second.earlier]);
    // A checkpoint from before the last change is what it goes on from.
    const third = await arrange({ steps: 400, resume: true }, 50);
    expect(third.earlier).toEqual([{ until: 50, schedule: first.setup.schedule }]);
    await expect(arrange({ steps: 399, resume: true }, 50)).rejects.toThrow('`steps` was 400, now 399');
    await expect(arrange({ minutes: 3, resume: true }, 50)).rejects.toThrow('Give one of `steps`');
  });
});
