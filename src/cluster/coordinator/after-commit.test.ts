import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { openDataset } from '../../data/index.js';
import { type TestData, testData, tinyModel } from '../../local/local.test-support.js';
import { writeBestModel } from '../../run/best-model.js';
import { Recorder } from '../../run/recorder.js';
import { runPaths } from '../../run/run-folder.js';
import { Standing } from '../../run/standing.js';
import { MemoryNetwork } from '../../transport/memory-transport.test-support.js';
import type { CoordinatorEvent, RoundEvent } from '../events.js';
import type { ModelHandle } from '../model-thread/commands.js';
import { putParts } from '../protocol/manifest.js';
import { AfterCommit, type AfterCommitOptions } from './after-commit.js';
import type { CommittedRound } from './coordinator.js';
import { hashOf, Play } from './coordinator.test-support.js';
import { Journal } from './journal.js';
import { Keeper } from './keeper.js';
import { Observations } from './observations.js';
import { RoundFigures } from './round-figures.js';
import type { RunInput } from './step-run.js';

const schedule = { peak: 1, final: 0.1, warmup: 0, steps: 12 };
let data: TestData;
let dataset: Awaited<ReturnType<typeof openDataset>>;
beforeAll(async () => {
  data = await testData(4000);
  dataset = await openDataset(data.tokens);
});
afterAll(async () => {
  dataset.train.close();
  dataset.validation.close();
  await data.remove();
});

let runs = 0;
let network: MemoryNetwork;
beforeEach(() => {
  network = new MemoryNetwork();
});

/** A run of workers a and b in a folder of its own, whose model's losses are told. */
async function inRun(losses: readonly number[], evalEvery = 4, patience?: number) {
  const folder = join(data.folder, `run-${runs++}`);
  await mkdir(folder);
  const paths = runPaths(folder);
  const model = tinyModel(data.vocabulary);
  const { size } = model.layout;
  const left = [...losses];
  const answers: Record<string, () => unknown> = {
    init: () => 20,
    snapshot: () => [new Float32Array(size), new Float32Array(size)],
    evaluate: () => ({ sum: 16 * left.shift()!, weight: 16 }),
  };
  const ask = async (name: string) => answers[name]!();
  const thread = { ask, close: async () => {} } as unknown as ModelHandle;
  const keeper = await Keeper.start(thread, undefined as never, 2, size, []);
  const play = new Play();
  for (const worker of ['a', 'b']) play.join(worker);
  const events: CoordinatorEvent[] = [];
  const happened: RunInput[] = [];
  const failures: unknown[] = [];
  const swept: number[] = [];
  const emit = (event: CoordinatorEvent) => void events.push(event);
  const recorder = await Recorder.open<RoundEvent>(paths, undefined, emit);
  const figures = new RoundFigures(recorder, play.context.plan, schedule);
  const { blobs } = network.connect().transport;
  const after = new AfterCommit({
    run: { paths, options: { evalEvery, checkpointEvery: undefined, untilLoss: 1.2, patience, keep: 2 } },
    prepared: {
      ...{ model, dataset, validation: [0] },
      writeModel: (to: string, trained: Float32Array) => writeBestModel(to, model, dataset.tokenizer, trained),
    },
    kinds: { momentum: true, moments: false },
    ...{ keeper, journal: new Journal(join(folder, 'journal')), recorder, figures },
    standing: new Standing({}, { name: 'loss', better: 'lower' }),
    ...{ seen: new Observations(() => 0), blobs, emit },
    happen: async (input: RunInput) => void happened.push(input),
    sweep: async () => void swept.push(happened.length),
    onFailure: (error: unknown) => void failures.push(error),
  } as unknown as AfterCommitOptions);

  /** A round of both, whose result has so many bytes. */
  async function round(bytes = 1): Promise<CommittedRound> {
    for (const worker of ['a', 'b']) play.report(worker);
    const opened = play.state.rounds.open!.round;
    for (const worker of ['a', 'b']) {
      await putParts(blobs, `${worker}/c/${opened}/0`, [Uint8Array.of(1)]);
      play.contribute(worker);
    }
    const before = play.state;
    play.merged();
    const times = { merging: 1, reduced: 2, committed: 3 };
    const commit = { before, state: play.state, workers: ['a', 'b'], missed: [], bytes, times };
    after.onCommit(commit);
    await after.settle().catch(() => {});
    return commit;
  }
  return { after, round, play, events, happened, swept, failures, paths, recorder, own: 8 * size };
}

const stored = () => [...network.blobs.keys()].filter((key) => !key.startsWith('run/s/')).sort();

it('keeps the last contributions for audits and deletes those before', async () => {
  const { round, recorder } = await inRun([], 1000);
  await round();
  expect(stored()).toEqual(['a/c/1/0/0', 'a/c/1/0/list', 'b/c/1/0/0', 'b/c/1/0/list']);
  await round();
  expect(stored()).toEqual(['a/c/2/0/0', 'a/c/2/0/list', 'b/c/2/0/0', 'b/c/2/0/list']);
  await recorder.close();
});

it('evaluates and saves where a round crosses a step for it, and stops at the loss that was asked for', async () => {
  const { round, events, happened, paths, recorder } = await inRun([2, 1.1]);
  await round();
  expect(events).toContainEqual(expect.objectContaining({ type: 'evaluation', step: 4, valLoss: 2 }));
  expect(happened).toEqual([{ type: 'evaluated', loss: 2, best: 2 }]);
  await round();
  expect(happened.slice(1)).toEqual([
    { type: 'evaluated', loss: 1.1, best: 1.1 },
    { type: 'event', event: { type: 'stop' } },
  ]);
  expect((await readdir(paths.checkpoints)).sort()).toEqual(['000004', '000008']);
  await recorder.close();
});

it('stops when evaluations get no better for as long as was asked for', async () => {
  const { round, happened, recorder } = await inRun([1.5, 1.6, 1.7], 4, 2);
  for (let i = 0; i < 3; i++) await round();
  expect(happened.slice(2)).toEqual([
    { type: 'evaluated', loss: 1.7, best: 1.5 },
    { type: 'event', event: { type: 'stop' } },
  ]);
  await recorder.close();
});

it('ends the run when training has diverged', async () => {
  const { after, round, failures, recorder } = await inRun([Number.NaN]);
  await round();
  expect(String(failures[0])).toMatch(/diverged: after step 4 .* lower `lr`/);
  await expect(after.settle()).rejects.toThrow(/diverged/);
  await recorder.close();
});

it('stores a snapshot when who joins would fetch twice as much in results, and has what it replaces deleted', async () => {
  const { round, happened, swept, own, recorder } = await inRun([], 1000);
  await round(2 * own - 1);
  expect(happened).toEqual([]);
  await round(1);
  expect(happened).toMatchObject([{ type: 'snapshot', snapshot: { round: 2, hash: hashOf(2) } }]);
  expect([...network.blobs.keys()].filter((key) => key.startsWith('run/'))).toEqual([
    expect.stringMatching(/^run\/s\/2\//),
    expect.stringMatching(/^run\/s\/2\//),
    'run/s/2/list',
  ]);
  await round(1);
  expect(happened).toHaveLength(1);
  expect(swept).toEqual([1]);
  await recorder.close();
});

it('evaluates and saves at the end what has not been', async () => {
  const { after, round, play, paths, recorder } = await inRun([1.5], 1000);
  await round();
  const last = await after.finish(play.state);
  expect(last.progress).toMatchObject({ val_loss: 1.5, best_val_loss: 1.5 });
  expect(await readdir(paths.checkpoints)).toEqual(['000004']);
  expect(stored()).toEqual([]);
  expect(await readdir(paths.model)).toContain('model.safetensors');
  await recorder.close();
});
