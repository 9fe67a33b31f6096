import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffersOf } from '../base/threads/messages.js';
import { prepareDataset } from '../data/index.js';
import { Model } from '../model/model.js';
import { CAUSAL } from '../objectives/create.js';
import { initialParameters } from '../run/start-vectors.js';
import type { DataTask } from '../run/task.js';
import { ReplicaThread } from './replica.js';
import type { ReplicaHandle } from './replica-thread.js';
import type { TeamSetup } from './team.js';
import type { TeamState } from './team-state.js';

/** A folder of its own for a test, with a short real text and its tokens. */
export interface TestData {
  readonly folder: string;
  readonly text: string;
  readonly tokens: string;
  readonly vocabulary: number;
  readonly validationTokens: number;
  remove(): Promise<void>;
}

/** The first `characters` of tiny Shakespeare, and its tokens. */
export async function testData(characters = 20_000): Promise<TestData> {
  const folder = await mkdtemp(join(tmpdir(), 'meanfield-cluster-'));
  const source = new URL('../../examples/tinyshakespeare.txt', import.meta.url);
  const text = join(folder, 'text.txt');
  await writeFile(text, (await readFile(source, 'utf8')).slice(0, characters));
  const tokens = join(folder, 'tokens');
  const dataset = await prepareDataset({ paths: [text], folder: tokens, tokenizer: 'chars' });
  return {
    folder,
    text,
    tokens,
    vocabulary: dataset.tokenizer.vocabularySize,
    validationTokens: dataset.validation.length,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

export const CONTEXT = 8;

export function tinyModel(vocabulary: number, family = 'gpt2'): Model {
  const sizes = { layers: 1, width: 16, heads: 2, keyValueHeads: 2, context: CONTEXT };
  return Model.create(family, { ...sizes, vocabulary });
}

/** What {@link tinyModel} learns of the test's text. */
export function tinyTask({ tokens, vocabulary }: TestData): DataTask {
  return { kind: 'data', folder: tokens, model: tinyModel(vocabulary).config, objective: CAUSAL, context: CONTEXT };
}

/** A team of one replica for {@link tinyModel}, unless told otherwise. */
export function tinySetup(data: TestData, changes: Partial<TeamSetup> = {}): TeamSetup {
  return {
    run: 'test',
    replicas: 1,
    device: 'cpu',
    threads: 1,
    task: tinyTask(data),
    perSample: CONTEXT,
    batchSize: 4,
    gradAccum: 1,
    seed: 5,
    optimizer: { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, clip: 1 },
    schedule: { peak: 1e-2, final: 1e-3, warmup: 2, steps: 40 },
    exchange: 'nothing',
    outer: { method: 'nesterov', learningRate: 0.7, momentum: 0.7 },
    averageMoments: true,
    stepsPerRound: 5,
    ...changes,
  };
}

/** Fresh vectors for a team, which takes them. */
export function firstTeamState(data: TestData): TeamState {
  return { round: 0, parameters: initialParameters(tinyModel(data.vocabulary), 5), moments: [], samplers: [] };
}

/** A replica in the test's own thread. Messages are cloned and their arrays moved, as between threads. */
export function replicaHere(host = new ReplicaThread()): ReplicaHandle {
  const moved = <T>(message: T): T => structuredClone(message, { transfer: buffersOf(message) });
  let last: Promise<unknown> = Promise.resolve();
  return {
    ask: (name, input, onStep) => {
      const sent = moved(input);
      const answer = last.then(() => host.handle(name, sent, onStep)).then(moved);
      last = answer.catch(() => {});
      return answer;
    },
    cancel: () => host.cancel(),
    close: async () => {
      await last;
      await host.handle('close', null);
    },
  };
}
