import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { sha256File } from '../src/base/hash.js';
import type { TrainOptions } from '../src/run/options.js';
import { kill } from './child.js';
import { Trainer } from './trainer.js';

// Several runs a test, on machines that may have other work.
vi.setConfig({ testTimeout: 180_000 });

let trainer: Trainer;
beforeAll(async () => {
  trainer = await Trainer.create();
});
afterAll(() => trainer.remove());

/** All that a run leaves of its model: figures, the best model, the last checkpoint's vectors. */
async function remains(run: string, step: number) {
  const checkpoint = join(trainer.path(run), 'checkpoints', String(step).padStart(6, '0'));
  return {
    metrics: await trainer.metrics(run),
    best: await sha256File(join(trainer.path(run), 'model/model.safetensors')),
    parameters: await sha256File(join(checkpoint, 'model.safetensors')),
    optimizer: await sha256File(join(checkpoint, 'optimizer.safetensors')),
  };
}

const arrangements: [string, Partial<TrainOptions>][] = [
  ['one replica', { replicas: 1 }],
  ['two replicas with averaged moments', { replicas: 2 }],
  ['two replicas with kept moments', { replicas: 2, moments: 'keep' }],
  ['two replicas that learn masked tokens', { replicas: 2, objective: 'masked', gradAccum: 2 }],
  ['two replicas that learn to write spans', { replicas: 2, objective: 'seq2seq', tokenizer: 'bpe', vocab: 400 }],
  ['two replicas whose last block alone is trained', { replicas: 2, freeze: ['*', '!layers.1.*', '!model.norm.*'] }],
  ['two replicas with dropout', { replicas: 2, gradAccum: 2, dropout: 0.2 }],
  ['two replicas in 8 bits, where the processor has them', { replicas: 2, gradAccum: 2, precision: 'int8' }],
  ['one replica with moments in 16 bits', { momentsPrecision: 'bf16', gradAccum: 2 }],
  [
    'two replicas with moments in 8 bits, of averaged gradients',
    { replicas: 2, syncEvery: 1, momentsPrecision: 'int8' },
  ],
  ['two replicas that keep moments in 16 bits', { replicas: 2, moments: 'keep', momentsPrecision: 'bf16' }],
  ['two replicas with averaged gradients', { replicas: 2, syncEvery: 1, evalEvery: 7 }],
  ['two replicas that share moments out', { replicas: 2, syncEvery: 1, zero: 1, evalEvery: 7 }],
  ['two replicas that share gradients out', { replicas: 2, zero: 2, syncEvery: 1, gradAccum: 2, evalEvery: 7 }],
  ['three replicas that share parameters out', { replicas: 3, zero: 3, syncEvery: 1, evalEvery: 7 }],
];

/** Enough for three kills, each up to 60 ms after a checkpoint. */
const STEPS = 200;

describe.each(arrangements)('%s', (name, changes) => {
  const long = { ...changes, steps: STEPS, checkpointEvery: 20, evalEvery: changes.evalEvery ?? 60 };
  const [whole, killed] = [`${name} whole`, `${name} killed`];

  it('goes on after kill -9 at random moments, bit for bit as if never stopped', async () => {
    const undisturbed = await trainer.train(whole, long);
    expect(undisturbed.result).toMatchObject({ step: STEPS, interrupted: false });
    const last = await trainer.trainKilled(killed, long, 60);
    expect(last.error).toBeUndefined();
    expect(await remains(killed, STEPS)).toEqual(await remains(whole, STEPS));
    expect(last.result!.valLoss).toBe(undisturbed.result!.valLoss);
    expect(last.result!.bestValLoss).toBe(undisturbed.result!.bestValLoss);
    expect(last.result!.trainLoss).toBe(undisturbed.result!.trainLoss);
  });
});

it('goes on with another stage of ZeRO, or none, and learns the same', async () => {
  const run = { replicas: 2, syncEvery: 1, optimizer: 'adamw', evalEvery: 20 } as const;
  await trainer.train('stages', { ...run, zero: 0, steps: 20 });
  for (const [zero, steps] of [
    [3, 30],
    [1, 35],
    [2, 40],
  ] as const) {
    const { error } = await trainer.train('stages', { ...run, zero, steps, resume: true });
    expect(error).toBeUndefined();
  }
  const rate = { lr: 1e-3, minLr: 1e-3, warmup: 0 };
  const whole = await trainer.train('level', { ...run, ...rate, zero: 3 });
  await trainer.train('level stages', { ...run, ...rate, zero: 0, steps: 20 });
  const last = await trainer.train('level stages', { ...run, ...rate, zero: 3, steps: 40, resume: true });
  expect(Math.abs(last.result!.valLoss / whole.result!.valLoss - 1)).toBeLessThan(1e-5);
  expect(await trainer.losses('level stages')).toHaveLength(40);
});

it('starts at step 0 when it was killed before the first checkpoint', async () => {
  const changes = { steps: 60, checkpointEvery: 60 };
  const training = trainer.start('early', changes);
  await training.event('evaluation');
  await kill(training.process);
  const again = await trainer.train('early', { ...changes, resume: true });
  expect(again.events.find(({ type }) => type === 'started')).toMatchObject({ step: 0 });
  await trainer.train('early whole', changes);
  expect(await remains('early', 60)).toEqual(await remains('early whole', 60));
});

it('finishes the round on SIGINT, saves, and goes on from there', async () => {
  const changes = { replicas: 2, steps: 300, evalEvery: 100, checkpointEvery: 1000 } as const;
  const training = trainer.start('stopped', changes);
  await training.event('progress', 20);
  training.process.kill('SIGINT');
  const { result } = await training.outcome;
  expect(result).toMatchObject({ interrupted: true });
  expect(result!.step % 5).toBe(0);
  expect(result!.step).toBeLessThan(300);
  expect(await readdir(join(trainer.path('stopped'), 'checkpoints'))).toEqual([String(result!.step).padStart(6, '0')]);
  expect(await readdir(trainer.path('stopped'))).not.toContain('lock');
  expect(await readdir(join(trainer.path('stopped'), 'model'))).toContain('model.safetensors');
  const rest = await trainer.train('stopped', { ...changes, resume: true });
  expect(rest.result).toMatchObject({ step: 300, interrupted: false });
  await trainer.train('not stopped', changes);
  expect(await remains('stopped', 300)).toEqual(await remains('not stopped', 300));
});

it('falls back from a damaged checkpoint to the one before, and says so', async () => {
  await trainer.train('damaged');
  const expected = await remains('damaged', 40);
  const path = join(trainer.path('damaged'), 'checkpoints/000040/model.safetensors');
  const bytes = await readFile(path);
  bytes[bytes.length - 9]! ^= 4;
  await writeFile(path, bytes);
  const { events, result } = await trainer.train('damaged', { resume: true });
  const notices = events.flatMap((event) => (event.type === 'notice' ? event.message : []));
  expect(notices).toEqual([expect.stringMatching(/000040.*damaged.*Went back to the one of step 30/s)]);
  expect(events.find(({ type }) => type === 'started')).toMatchObject({ step: 30 });
  expect(result).toMatchObject({ step: 40 });
  expect(await remains('damaged', 40)).toEqual(expected);
});

it('has nothing to do for a run that has ended', async () => {
  const first = await trainer.train('ended');
  const before = await remains('ended', 40);
  const again = await trainer.train('ended', { resume: true });
  expect(again.result).toMatchObject({
    step: 40,
    valLoss: first.result!.valLoss,
    bestValLoss: first.result!.bestValLoss,
    trainLoss: first.result!.trainLoss,
    rounds: first.result!.rounds,
    interrupted: false,
  });
  expect(await remains('ended', 40)).toEqual(before);
});

it('goes on to more steps, by the schedule of a run so long from there on, bit for bit however often it is killed', async () => {
  for (const run of ['longer', 'longer killed']) {
    const first = await trainer.train(run, { steps: 100, checkpointEvery: 20 });
    expect(first.result).toMatchObject({ step: 100 });
  }
  const more = { steps: 300, checkpointEvery: 20, resume: true };
  expect((await trainer.train('longer', more)).result).toMatchObject({ step: 300 });
  const training = trainer.start('longer killed', more);
  await training.event('checkpoint', 140);
  await kill(training.process);
  // What it was given is its own from now on.
  const { steps: _, ...own } = more;
  expect((await trainer.train('longer killed', { ...own, steps: undefined as never })).result).toMatchObject({
    step: 300,
  });
  expect(await remains('longer killed', 300)).toEqual(await remains('longer', 300));
  await trainer.train('long from the start', { steps: 300, checkpointEvery: 20 });
  const [longer, long] = [await trainer.losses('longer'), await trainer.losses('long from the start')];
  expect(longer).toHaveLength(300);
  expect(longer[299]).not.toBe(long[299]);
});

it('goes through what a run by time has recorded again as it was', async () => {
  const timed = { steps: undefined as never, minutes: 0.3, checkpointEvery: 100, evalEvery: 100_000 };
  const training = trainer.start('timed', timed);
  const at = ((await training.event('checkpoint')) as { step: number }).step;
  await training.event('progress', at + 50);
  // Lines reach the disk in batches, a second apart at the most.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await kill(training.process);
  const before = await trainer.losses('timed');
  const { result } = await trainer.train('timed', { ...timed, resume: true });
  expect(result).toMatchObject({ ended: 'minutes' });
  const after = await trainer.losses('timed');
  expect(before.length).toBeGreaterThan(at);
  expect(after.slice(0, before.length)).toEqual(before);
  expect(after.length).toBe(result!.step);
});
