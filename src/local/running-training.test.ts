import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadLatestCheckpoint } from '../run/checkpoint.js';
import type { TrainEvent, TrainResult } from '../run/events.js';
import { OpenRun } from '../run/open-run.js';
import type { TrainOptions } from '../run/options.js';
import { prepareRun } from '../run/prepare-run.js';
import { arrangeRun } from './arrange-run.js';
import { replicaHere } from './local.test-support.js';
import type { ReplicaHandle } from './replica-thread.js';
import { RunningTraining } from './running-training.js';
import { loadState, NO_PROGRESS } from './saved-state.js';
import type { SpeedWatch } from './speed-watch.js';

const source = new URL('../../examples/tinyshakespeare.txt', import.meta.url);
let folder: string;
let events: TrainEvent[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-running-'));
  await writeFile(join(folder, 'text.txt'), (await readFile(source, 'utf8')).slice(0, 8000));
});
afterEach(() => rm(folder, { recursive: true }));

/** Trains in the test's own thread; `control` is asked between rounds. */
async function train(
  changes: Partial<TrainOptions>,
  control: { readonly stopping: boolean } = { stopping: false },
  startReplica: () => ReplicaHandle = () => replicaHere(),
  watch?: Pick<SpeedWatch, 'round' | 'measured'>,
): Promise<TrainResult> {
  const sizes = { layers: 1, width: 16, heads: 2, context: 16, batchSize: 4, threads: 1 };
  const corpus = [join(folder, 'text.txt')];
  const every = { steps: 20, evalEvery: 10, syncEvery: 5 };
  const run = await OpenRun.open({
    ...{ corpus, run: join(folder, 'run'), tokenizer: 'chars', ...sizes, ...every },
    ...changes,
  });
  events = [];
  try {
    const prepared = await prepareRun(run, () => {});
    const { checkpoint } = await loadLatestCheckpoint(run.paths.checkpoints);
    const parameters = await prepared.initial();
    const from = checkpoint
      ? await loadState(checkpoint, prepared.learned.layout)
      : { progress: NO_PROGRESS, team: { round: 0, parameters, moments: [], samplers: [] } };
    await checkpoint?.close();
    const emit = (event: TrainEvent) => events.push(event);
    const arranged = await arrangeRun(run, prepared, emit, from.progress.step);
    const training = await RunningTraining.start({ run, prepared, ...arranged, emit, startReplica, watch }, from);
    return await training.run(control, performance.now());
  } finally {
    await run.release();
  }
}

/** Asks to stop when `rounds` rounds have begun. */
function stopAfter(rounds: number): { readonly stopping: boolean } {
  let asked = 0;
  return {
    get stopping() {
      return ++asked > rounds;
    },
  };
}

const steps = (type: TrainEvent['type']) =>
  events.flatMap((event) => (event.type === type && 'step' in event ? event.step : []));
const checkpoints = () => readdir(join(folder, 'run/checkpoints'));

describe('a running training', () => {
  it('evaluates and saves at the ends of the rounds in which it is due, and at its own end', async () => {
    const result = await train({ steps: 23, evalEvery: 7, checkpointEvery: 12 });
    expect(steps('evaluation')).toEqual([10, 15, 23]);
    expect(steps('checkpoint')).toEqual([15, 23]);
    expect(result).toMatchObject({ step: 23, rounds: 5, tokens: 23 * 64, replicas: 1, interrupted: false });
    expect(result.valLoss).toBeLessThan(Math.log(55));
    expect(result.bestValLoss).toBeLessThanOrEqual(result.valLoss);
    expect(result.trainLoss).toBeGreaterThan(1);
    expect(await checkpoints()).toEqual(['000015', '000023']);
  });

  it('measures its threads again when told that it became slower, and learns the same', async () => {
    const content = (name: string) => readFile(join(folder, 'run/checkpoints/000020', name));
    await train({});
    const undisturbed = await content('model.safetensors');
    await rm(join(folder, 'run'), { recursive: true });
    const told: boolean[] = [];
    let rounds = 0;
    const watch = { round: () => ++rounds === 2, measured: (fewer: boolean) => told.push(fewer) };
    const result = await train({}, undefined, undefined, watch);
    expect(result).toMatchObject({ step: 20, rounds: 4 });
    const notices = events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
    expect(notices).toEqual([
      expect.stringMatching(/threads of a replica were measured again: 1 \d+\/s.*; (it stays at|from here on) \d+\.$/),
    ]);
    const [, threads] = /(\d+)\.$/.exec(notices[0]!)!;
    const record = JSON.parse(await readFile(join(folder, 'run/run.json'), 'utf8'));
    expect(String(record.chosen.threads)).toBe(threads);
    expect(told).toEqual([Number(threads) < availableParallelism()]);
    expect(await content('model.safetensors')).toEqual(undisturbed);
  });

  it('keeps the best model, not the last', async () => {
    // The rate rises to what no model stands.
    const result = await train({ steps: 25, lr: 1e-2, minLr: 20, warmup: 10, evalEvery: 5, keep: 9 });
    expect(result.bestValLoss).toBeLessThan(result.valLoss);
    const losses = new Map(
      events.flatMap((event) => (event.type === 'evaluation' ? [[event.valLoss, event.step]] : [])),
    );
    const model = (path: string) => readFile(join(folder, 'run', path, 'model.safetensors'));
    const best = `checkpoints/${String(losses.get(result.bestValLoss)).padStart(6, '0')}`;
    expect(await model('model')).toEqual(await model(best));
    expect(await model('model')).not.toEqual(await model('checkpoints/000025'));
  });

  it('tells of each evaluation how it stands beside the best, and what the model writes', async () => {
    const result = await train({ steps: 20, evalEvery: 5 });
    const told = events.flatMap((event) => (event.type === 'evaluation' ? [event] : []));
    expect(told).toHaveLength(4);
    let best = { valLoss: Number.POSITIVE_INFINITY, step: 0, at: -1 };
    for (const [i, event] of told.entries()) {
      if (event.valLoss < best.valLoss) best = { valLoss: event.valLoss, step: event.step, at: i };
      expect(event).toMatchObject({ bestValLoss: best.valLoss, bestStep: best.step });
      expect(event.evaluationsSinceBest).toBe(i - best.at);
      // A character of this text is a byte.
      expect(event.bitsPerByte).toBeCloseTo(event.valLoss / Math.LN2, 10);
      expect(event.sample!.length).toBeGreaterThan(20);
    }
    expect(result).toMatchObject({ bestStep: best.step, ended: 'steps' });
    expect(result.bitsPerByte).toBeCloseTo(best.valLoss / Math.LN2, 10);
    const progress = events.find((event) => event.type === 'progress')!;
    expect(progress).toMatchObject({ memoryBytes: expect.any(Number), peakMemoryBytes: expect.any(Number) });
  });

  it('ends when it gets no better, with the best model, and can be given more patience', async () => {
    // The rate rises to what no model stands.
    const rising = { steps: 60, lr: 1e-2, minLr: 20, warmup: 10, evalEvery: 5, keep: 99 };
    const result = await train({ ...rising, patience: 2 });
    expect(result).toMatchObject({ ended: 'patience', interrupted: false, step: result.bestStep + 10 });
    const model = (path: string) => readFile(join(folder, 'run', path, 'model.safetensors'));
    expect(await model('model')).toEqual(await model(`checkpoints/${String(result.bestStep).padStart(6, '0')}`));
    expect(JSON.parse(await readFile(join(folder, 'run/run.json'), 'utf8')).options.patience).toBe(2);
    const over = await train({ ...rising, patience: 2, resume: true });
    expect(over).toMatchObject({ ended: 'patience', step: result.step, bestStep: result.bestStep });
    const further = await train({ ...rising, patience: 4, resume: true });
    expect(further.step).toBeGreaterThan(result.step);
  });

  it('lets the rate follow the clock where minutes are given, and records its rounds', async () => {
    const result = await train({ steps: undefined, minutes: 0.02, evalEvery: 1000 });
    expect(result.ended).toBe('minutes');
    const lines = (await readFile(join(folder, 'run/metrics.jsonl'), 'utf8')).trimEnd().split('\n');
    const told = lines.map((line) => JSON.parse(line)).filter(({ type }) => type === 'progress');
    expect(told.at(-1).lr).toBeLessThan(3.5e-4);
    for (const { eta_seconds } of told) expect(eta_seconds).toBeLessThanOrEqual(1.2);
    const rounds = told.flatMap(({ timed_rounds }) => timed_rounds);
    expect(rounds[0]).toMatchObject({ step: 0, steps: 1 });
    expect(rounds.reduce((sum, { steps }) => sum + steps, 0)).toBe(result.step);
  });

  it('ends at the loss, even after its steps have ended with a schedule of their own', async () => {
    const result = await train({ untilLoss: 3.8, steps: 500, evalEvery: 5 });
    expect(result.valLoss).toBeLessThan(3.8);
    expect(result.step).toBeLessThan(500);
    expect(steps('evaluation').at(-1)).toBe(result.step);
  });

  it('stops between rounds, with a model though none was due, and goes on to the same end', async () => {
    const stopped = await train({ evalEvery: 20 }, stopAfter(2));
    expect(stopped).toMatchObject({ step: 10, interrupted: true });
    expect(await checkpoints()).toEqual(['000010']);
    expect(await readdir(join(folder, 'run/model'))).toContain('model.safetensors');
    expect(stopped.bestValLoss).toBe(stopped.valLoss);
    const rest = await train({ evalEvery: 20, resume: true });
    const lines = await readFile(join(folder, 'run/metrics.jsonl'), 'utf8');
    await rm(join(folder, 'run'), { recursive: true });
    const whole = await train({ evalEvery: 20 });
    const varying = { seconds: 0, tokensPerSecond: 0, peakMemoryBytes: 0 };
    expect({ ...rest, ...varying }).toEqual({ ...whole, ...varying });
    const losses = (text: string) =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).losses ?? JSON.parse(line).valLoss);
    expect(losses(lines)).toEqual(losses(await readFile(join(folder, 'run/metrics.jsonl'), 'utf8')));
  });

  it('can be stopped before its first step', async () => {
    const stopped = await train({}, stopAfter(0));
    expect(stopped).toMatchObject({ step: 0, interrupted: true, rounds: 0 });
    expect(await train({ resume: true })).toMatchObject({ step: 20, interrupted: false });
  });

  it('closes its replicas and files when one fails, and keeps what was saved', async () => {
    let closed = 0;
    const failing = () => {
      const inner = replicaHere();
      let asked = 0;
      const ask: ReplicaHandle['ask'] = (name, input, onStep) =>
        name === 'train' && ++asked > 3 ? Promise.reject(new Error('lost')) : inner.ask(name, input, onStep);
      const close = async () => {
        closed++;
        await inner.close();
      };
      return { ...inner, ask, close };
    };
    await expect(train({}, undefined, failing)).rejects.toThrow('lost');
    expect(closed).toBe(1);
    expect(await checkpoints()).toEqual(['000010']);
    expect(await train({ resume: true })).toMatchObject({ step: 20 });
  });

  it('names the last good checkpoint when it diverges', async () => {
    const options = { lr: 1e-3, minLr: 1e38, warmup: 10, clip: 0, evalEvery: 5, weightDecay: 0 };
    await expect(train(options)).rejects.toThrow(/diverged: .*last good checkpoint is .*checkpoints\/0000(05|10|15)/);
  });
});
