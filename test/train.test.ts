import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Trainer } from './trainer.js';

let trainer: Trainer;
beforeAll(async () => {
  trainer = await Trainer.create();
});
afterAll(() => trainer.remove());

describe('train', () => {
  it('gives the same run again, bit for bit', async () => {
    const outcomes = [];
    for (const run of ['first', 'second']) outcomes.push(await trainer.train(run, { replicas: 2 }));
    expect(await trainer.metrics('second')).toEqual(await trainer.metrics('first'));
    const files = await Promise.all(
      ['first', 'second'].map((run) => readFile(join(trainer.path(run), 'model/model.safetensors'))),
    );
    expect(files[0]!.equals(files[1]!)).toBe(true);
    const [first, second] = outcomes.map(({ result }) => result!);
    expect(second!.valLoss).toBe(first!.valLoss);
    expect(first).toMatchObject({ step: 40, tokens: 40 * 2 * 4 * 16, replicas: 2, rounds: 8, interrupted: false });
    expect(first!.bestValLoss).toBeLessThan(Math.log(60) - 0.5);
    expect(first!.tokensPerSecond).toBeGreaterThan(0);
  });

  it('learns alike with two replicas of averaged gradients and with the joint batch', async () => {
    await trainer.train('pair', { replicas: 2, syncEvery: 1, batchSize: 4 });
    await trainer.train('joint', { replicas: 1, syncEvery: 1, batchSize: 8 });
    const [pair, joint] = [await trainer.losses('pair'), await trainer.losses('joint')];
    expect(pair.length).toBe(40);
    for (const [i, loss] of pair.entries()) expect(Math.abs(loss / joint[i]! - 1)).toBeLessThan(1e-4);
  });

  it('learns by a configuration of DeepSpeed as by the options that it stands for, and resumes', async () => {
    const deepspeed = trainer.path('ds_config.json');
    const params = { lr: 0.002, betas: [0.9, 0.99], weight_decay: 0.01 };
    await writeFile(deepspeed, JSON.stringify({ train_batch_size: 8, optimizer: { type: 'AdamW', params } }));
    const own = { batchSize: undefined, lr: undefined };
    const { events } = await trainer.train('deepspeed', { ...own, deepspeed, replicas: 2 });
    const notices = events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
    expect(notices[0]).toMatch(/ds_config\.json: read train_batch_size, optimizer\.type, .*weight_decay\.$/);
    const options = {
      batchSize: 4,
      lr: 0.002,
      beta2: 0.99,
      weightDecay: 0.01,
      optimizer: 'adamw',
      replicas: 2,
    } as const;
    await trainer.train('options', options);
    expect(await trainer.losses('deepspeed')).toEqual(await trainer.losses('options'));
    const { result } = await trainer.train('deepspeed', { ...own, deepspeed, replicas: 2, resume: true });
    expect(result).toMatchObject({ step: 40 });
  });

  it('tells events in order and leaves a whole run folder', async () => {
    const { events } = await trainer.train('folder', { checkpointEvery: 20, keep: 2 });
    const told = events
      .filter(({ type }) => type !== 'preparing')
      .map((event) => `${event.type} ${'step' in event ? event.step : ''}`);
    const unique = told.filter((line, i) => line !== told[i - 1] && !/^progress (?!10$|20$|30$|40$)/.test(line));
    expect(unique).toEqual([
      'started 0',
      ...['progress 10', 'evaluation 10', 'progress 20', 'evaluation 20', 'checkpoint 20'],
      ...['progress 30', 'evaluation 30', 'progress 40', 'evaluation 40', 'checkpoint 40'],
    ]);
    const names = (await readdir(trainer.path('folder'))).map((name) => name.replace(/tfevents.*/, 'tfevents'));
    expect(names.sort()).toEqual([
      'checkpoints',
      'events.out.tfevents',
      'metrics.jsonl',
      'model',
      'run.json',
      'tokens',
    ]);
    expect((await readdir(join(trainer.path('folder'), 'model'))).sort()).toEqual([
      'config.json',
      'generation_config.json',
      'meanfield.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
  });

  it('ends when the loss is reached', async () => {
    const { result } = await trainer.train('until', { untilLoss: 3.9, steps: 1000 });
    expect(result!.valLoss).toBeLessThan(3.9);
    expect(result!.step).toBeLessThan(1000);
    expect(result!.interrupted).toBe(false);
  });

  it('chooses an arrangement by measuring, and takes it again on resuming', async () => {
    const first = await trainer.train('auto', { replicas: 'auto', threads: undefined as never });
    expect(first.error).toBeUndefined();
    const record = async () => JSON.parse(await readFile(join(trainer.path('auto'), 'run.json'), 'utf8')).chosen;
    const chosen = await record();
    const { measured, replicas } = chosen;
    expect(measured.map((one: { replicas: number }) => one.replicas)).toContain(replicas);
    expect(first.events.filter(({ type }) => type === 'notice')).toEqual([
      expect.objectContaining({ message: expect.stringContaining(`${replicas} replica`) }),
    ]);
    const again = await trainer.train('auto', { replicas: 'auto', threads: undefined as never, resume: true });
    expect(again.result!.replicas).toBe(replicas);
    expect(await record()).toEqual(chosen);
  });

  it('ends after the minutes given', async () => {
    const { result } = await trainer.train('minutes', { steps: undefined as never, minutes: 0.05 });
    expect(result).toMatchObject({ interrupted: false, ended: 'minutes' });
    expect(result!.step).toBeGreaterThan(0);
    expect(result!.seconds).toBeGreaterThan(3);
  });
});

describe('train stops with a clear error', () => {
  it.each([1, 2])('when it diverges, with %i replicas', async (replicas) => {
    const { error, exitCode } = await trainer.train(`diverges ${replicas}`, {
      replicas,
      lr: 1e6,
      minLr: 1e30,
      warmup: 0,
      clip: 0,
      checkpointEvery: 5,
    });
    expect(error).toMatch(/^Training has diverged: (in|by|after) step \d+ .*\blr\b/);
    expect(error).toMatch(/The last good checkpoint is .*checkpoints\/\d{6}|No checkpoint was saved yet/);
    expect(exitCode).toBe(1);
    expect(await readdir(trainer.path(`diverges ${replicas}`))).not.toContain('lock');
  });

  it.each([
    ['a missing file', { corpus: ['/nowhere/text.txt'] }, '/nowhere/text.txt'],
    ['a text shorter than the context', { context: 40_000 }, 'The training part has 27000 tokens'],
    ['an option that is none', { preset: 'giant' as 'base' }, '`preset`'],
    ['a device without its provider', { device: 'cuda' as const }, '--onnxruntime-node-install=cuda12'],
  ])('on %s, leaving no run behind', async (name, changes, message) => {
    const { error, exitCode } = await trainer.train(name, changes);
    expect(error).toContain(message);
    expect(exitCode).toBe(1);
    expect(existsSync(trainer.path(name))).toBe(false);
  });

  it('on an empty and on a binary file', async () => {
    const files = { empty: '', binary: '\0\x01\x02\0' };
    for (const [name, content] of Object.entries(files)) {
      const path = join(trainer.folder, `${name}.txt`);
      await writeFile(path, content);
      const { error } = await trainer.train(name, { corpus: [path] });
      expect(error).toContain(`${name}.txt`);
      expect(existsSync(trainer.path(name))).toBe(false);
    }
  });

  it('on a run that is in use, and on one that exists', async () => {
    const training = trainer.start('used', { steps: 5000 });
    await training.event('started');
    expect((await trainer.train('used', { steps: 5000, resume: true })).error).toContain(
      `process ${training.process.pid}`,
    );
    training.process.kill('SIGINT');
    await training.outcome;
    expect((await trainer.train('used')).error).toContain('`resume: true`');
    expect((await trainer.train('used', { resume: true })).error).toContain('`steps` was 5000, now 40');
  });
});
