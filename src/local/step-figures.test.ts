import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TrainEvent } from '../run/events.js';
import { Recorder } from '../run/recorder.js';
import { runPaths } from '../run/run-folder.js';
import { NO_PROGRESS, type TrainingProgress } from './saved-state.js';
import { StepFigures } from './step-figures.js';
import { Throughput } from './throughput.js';

let folder: string;
let events: TrainEvent[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meanfield-figures-'));
  events = [];
});
afterEach(() => rm(folder, { recursive: true }));

async function open(progress: TrainingProgress = NO_PROGRESS, resumedAt?: number) {
  const recorder = await Recorder.open<never>(runPaths(folder), resumedAt, (event) => events.push(event));
  const schedule = { peak: 1, final: 0, warmup: 0, steps: 100 };
  const throughput = new Throughput(10);
  const options = { recorder, schedule, mostSteps: 1000, perStep: 10, unit: 'tokens', throughput } as const;
  return { recorder, figures: new StepFigures(options, progress) };
}

const lines = async () =>
  (await readFile(join(folder, 'metrics.jsonl'), 'utf8'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

/** Rounds of `length` steps each; the loss of a step is its number. */
function rounds(figures: StepFigures, from: number, to: number, length: number): void {
  for (let step = from; step < to; step++) {
    figures.step({ step, loss: step, gradientNorm: 2 * step }, step / length + 1);
    if ((step + 1) % length === 0) figures.endRound((step + 1) / length);
  }
}

describe('metrics.jsonl', () => {
  it('has a line a round, with every loss, and one an evaluation', async () => {
    const { recorder, figures } = await open();
    rounds(figures, 0, 24, 12);
    recorder.evaluation(24, 1.5);
    await recorder.close();
    const [first, second, evaluation] = await lines();
    expect(first).toMatchObject({ type: 'progress', step: 12, total_steps: 100, round: 1, loss: 5.5, tokens: 120 });
    expect(first.losses).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(second).toMatchObject({ step: 24, round: 2, loss: 17.5, gradient_norm: 35 });
    expect(second.lr).toBeCloseTo((1 + Math.cos((Math.PI * 23) / 100)) / 2, 12);
    expect(evaluation).toEqual({ type: 'evaluation', step: 24, val_loss: 1.5 });
    expect(events.at(-1)).toEqual({ type: 'evaluation', step: 24, valLoss: 1.5 });
    expect((await readdir(folder)).some((name) => name.startsWith('events.out.tfevents'))).toBe(true);
  });

  it('gathers short rounds to ten steps, wherever the run is interrupted', async () => {
    const whole = await open();
    rounds(whole.figures, 0, 25, 1);
    whole.figures.flush(25);
    await whole.recorder.close();
    const expected = (await lines()).map(({ step, losses }) => [step, losses]);
    expect(expected.map(([step]) => step)).toEqual([10, 20, 25]);
    await rm(join(folder, 'metrics.jsonl'));

    const first = await open();
    rounds(first.figures, 0, 13, 1);
    const { pending, trainLoss } = first.figures;
    await first.recorder.close();
    expect(trainLoss).toBe(4.5);
    const second = await open({ ...NO_PROGRESS, step: 13, pending, train_loss: trainLoss }, 13);
    rounds(second.figures, 13, 25, 1);
    second.figures.flush(25);
    await second.recorder.close();
    expect((await lines()).map(({ step, losses }) => [step, losses])).toEqual(expected);
  });

  it('counts to the most steps once the schedule is over', async () => {
    const { recorder, figures } = await open();
    rounds(figures, 90, 110, 10);
    await recorder.close();
    expect((await lines()).map(({ total_steps, lr }) => [total_steps, lr > 0])).toEqual([
      [100, true],
      [1000, false],
    ]);
  });
});
