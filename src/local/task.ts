import { RowWindows } from '../data/chat/pack.js';
import { PairList } from '../data/chat/pair.js';
import { openRowFile } from '../data/chat/prepare.js';
import { readReference } from '../data/chat/reference-file.js';
import type { RowFile } from '../data/chat/row-file.js';
import { trainingTokens } from '../data/dataset/open.js';
import {
  type Dataset,
  openDataset,
  type SampleSource,
  type Tokenizer,
  type TokenShards,
  TokenWindows,
  windowAt,
} from '../data/index.js';
import { type SampleList, ShuffledSamples } from '../data/sampling/shuffled-samples.js';
import type { Engine } from '../engine/engine.js';
import { Generator } from '../inference/index.js';
import type { FrozenValues } from '../model/base-storage.js';
import { Model } from '../model/model.js';
import { comesInRows, createObjective } from '../objectives/create.js';
import type { Objective } from '../objectives/objective.js';
import { loadOwnModule, samplesOf } from '../objectives/own/load-module.js';
import { Own } from '../objectives/own/own.js';
import { readFrozen, readStored } from '../run/frozen-part.js';
import type { DataTask, TaskSetup } from '../run/task.js';
import { teacherOf } from '../run/teacher-part.js';

/** What a replica learns, and from what. */
export interface Task {
  readonly objective: Objective<unknown>;
  /** The frozen parameters; a vector of no elements where nothing is frozen. */
  readonly frozen: FrozenValues;
  /** The parameters of the objective's teacher, where it has one. */
  readonly teacher?: Float32Array;
  /** In the order of training. */
  readonly training: SampleSource<unknown>;
  /** The validation sample of a number. */
  validation(number: number): unknown;
  /** Makes what writes texts by a vector of trained parameters; models that do not write have none. */
  writer?(engine: Engine, trained: Float32Array, threads: number): Generator;
  close(): void;
}

/** The samples of a data set's folder, opened. */
export interface OpenSamples extends Pick<Task, 'training' | 'validation' | 'close'> {
  readonly tokenizer?: Tokenizer;
}

type OpenData = (task: DataTask, seed: number, only?: 'training') => Promise<OpenSamples>;

const openText: OpenData = async ({ folder, context }, seed, only) => {
  const opened = only ? { train: await trainingTokens(folder) } : await openDataset(folder);
  const { train, validation, tokenizer }: { train: TokenShards } & Partial<Dataset> = opened;
  return {
    ...(tokenizer && { tokenizer }),
    training: new TokenWindows({ tokens: train, context, seed }),
    validation: (start) => windowAt(validation!, context, start),
    close() {
      train.close();
      validation?.close();
    },
  };
};

const openRows: OpenData = async ({ folder, context, objective, frozen }, seed, only) => {
  const samplesOf = async (part: 'train' | 'validation', file: RowFile): Promise<SampleList<unknown>> => {
    if (objective.name === 'chat') return new RowWindows(file, { places: context, packed: objective.packed, seed });
    if (objective.name === 'seq2seq') return file;
    // With an adapter the step has the reference in it.
    return new PairList(file, frozen?.adapter ? undefined : await readReference(folder, part));
  };
  const train = await openRowFile(folder, 'train');
  const validation = only ? undefined : await openRowFile(folder, 'validation');
  const held = validation && (await samplesOf('validation', validation));
  return {
    training: new ShuffledSamples(await samplesOf('train', train), seed),
    validation: (number) => held!.at(number),
    close() {
      train.close();
      validation?.close();
    },
  };
};

/**
 * Opens the samples of a folder, without the model that learns of them.
 *
 * @param only as of {@link openData}
 */
export function openSamples(task: DataTask, seed: number, only?: 'training'): Promise<OpenSamples> {
  return (comesInRows(task.objective) ? openRows : openText)(task, seed, only);
}

/**
 * Opens what is learned from the samples of a folder.
 *
 * @param seed of the run
 * @param only `training` where the folder holds the training part alone: nothing validates then
 */
export async function openData(task: DataTask, seed: number, only?: 'training'): Promise<Task> {
  const { model: config, frozen: part, teacher: taught, objective, context } = task;
  const model = Model.fromConfig(config).partly(part ?? {});
  // Layers of such a base are read one by one, by whoever trains.
  const frozen = part?.streamed ? new Float32Array(0) : await readStored(part, model);
  const teacher = taught && teacherOf(taught);
  const { tokenizer, ...samples } = await openSamples(task, seed, only);
  return {
    ...samples,
    objective: createObjective(objective, { model, context, seed, teacher }),
    frozen,
    ...(taught && teacher && { teacher: await readFrozen(taught, teacher.model.layout) }),
    ...(tokenizer &&
      !part?.streamed && {
        writer(engine, trained, threads) {
          const parameters = model.arrays(trained, frozen);
          return new Generator({ model, engine, parameters, tokenizer, compile: { threads, arena: false } });
        },
      }),
  };
}

async function openOwn(url: string, seed: number): Promise<Task> {
  const module = await loadOwnModule(url);
  const { training, validation } = await samplesOf(module);
  return {
    objective: new Own(module, module.file),
    frozen: new Float32Array(0),
    training: new ShuffledSamples(training, seed),
    validation: (number) => validation.at(number),
    close() {},
  };
}

/**
 * Opens a task for a replica.
 *
 * @param seed of the run
 */
export function openTask(setup: TaskSetup, seed: number): Promise<Task> {
  return setup.kind === 'own' ? openOwn(setup.module, seed) : openData(setup, seed);
}
