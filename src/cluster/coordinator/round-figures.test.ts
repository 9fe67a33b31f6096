import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { Recorder } from '../../run/recorder.js';
import { runPaths } from '../../run/run-folder.js';
import type { CoordinatorEvent, RoundEvent } from '../events.js';
import { planRun } from './plan.js';
import { RoundFigures, totalSteps } from './round-figures.js';
import { NO_PROGRESS } from './run-state.js';

const folder = await mkdtemp(join(tmpdir(), 'meanfield-figures-'));
afterAll(() => rm(folder, { recursive: true }));
const none = { steps: undefined, tokens: undefined, minutes: undefined, untilLoss: undefined };
const schedule = { peak: 1, final: 0.1, warmup: 0, steps: 40 };

const round = (step: number): RoundEvent => ({
  ...{ type: 'round', step, round: step / 10, workers: ['a'], missed: [], tokens: 600, loss: 2, norms: [1] },
  seconds: { round: 3, train: 2, upload: 0, wait: 1, reduce: 0, gather: 0, commit: 0 },
  ...{ bytes: { sent: 1, received: 2 }, utilization: 2 / 3, refusals: 0 },
});
const at = (position: number) => ({ ...NO_PROGRESS, position, tokens: 60 * position, seconds: 0.3 * position });

it('writes two lines for each round', async () => {
  const events: CoordinatorEvent[] = [];
  const plan = planRun({ ...none, steps: 40 }, 60, 1);
  const paths = runPaths(folder);
  const recorder = await Recorder.open<RoundEvent>(paths, undefined, (event) => events.push(event));
  const figures = new RoundFigures(recorder, plan, schedule);
  for (const step of [10, 20]) figures.round(round(step), at(step));
  await recorder.close();
  // The first round warms up: the second's 600 tokens took 3 seconds.
  expect(events.find((event) => event.type === 'progress' && event.step === 20)).toMatchObject({
    ...{ totalSteps: 40, tokens: 1200, tokensPerSecond: 200, etaSeconds: 6, lr: 0.55 },
  });
  const lines = (await readFile(paths.metrics, 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line)).map(({ type, step }) => [type, step])).toEqual([
    ['progress', 10],
    ['round', 10],
    ['progress', 20],
    ['round', 20],
  ]);
  expect(JSON.parse(lines[0]!).memory_bytes).toBeGreaterThan(0);
});

it('tells how many steps there will be, as far as that is known', () => {
  expect(totalSteps(planRun({ ...none, steps: 40 }, 60, 1), at(10))).toBe(40);
  const tokens = planRun({ ...none, tokens: 2400 }, 60, 1);
  expect(totalSteps(tokens, at(0))).toBe(40);
  expect(totalSteps(tokens, { ...at(10), tokens: 1200 })).toBe(20);
});
