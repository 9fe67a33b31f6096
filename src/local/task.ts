import { RowWindows } from '../data/chat/pack.js';
import { openChat } from '../data/chat/prepare.js';
import { openDataset, type SampleSource, TokenWindows, windowAt } from '../data/index.js';
import { ShuffledSamples } from '../data/sampling/shuffled-samples.js';
import type { Engine } from '../engine/engine.js';
import { Generator } from '../inference/index.js';
import type { FrozenValues } from '../model/base-storage.js';
import { Model } from '../model/model.js';
import { Chat } from '../objectives/chat/chat.js';
import { createObjective } from '../objectives/create.js';
import type { Objective } from '../objectives/objective.js';
import { loadOwnModule, samplesOf } from '../objectives/own/load-module.js';
import { Own } from '../objectives/own/own.js';
import { readStored } from '../run/frozen-part.js';
import type { TaskSetup } from '../run/task.js';

/** What a replica learns, and from what. */
export interface Task {
  readonly objective: Objective<unknown>;
  /** The frozen parameters; a vector of no elements where nothing is frozen. */
  readonly frozen: FrozenValues;
  /** In the order of training. */
  readonly training: SampleSource<unknown>;
  /** The validation sample of a number. */
  validation(number: number): unknown;
  /** Makes what writes texts by a vector of trained parameters; models that do not write have none. */
  writer?(engine: Engine, trained: Float32Array, threads: number): Generator;
  close(): void;
}

type Setup<K extends TaskSetup['kind']> = Extract<TaskSetup, { readonly kind: K }>;

/** How each kind of task is opened. */
const OPENERS: { readonly [K in TaskSetup['kind']]: (setup: Setup<K>, seed: number) => Promise<Task> } = {
  text: async ({ tokens, model: config, frozen: part, objective: learned, context }, seed) => {
    const model = Model.fromConfig(config).partly(part ?? {});
    const frozen = await readStored(part, model);
    const { train, validation, tokenizer } = await openDataset(tokens);
    return {
      objective: createObjective(learned, { model, context, seed }) as Objective<unknown>,
      frozen,
      training: new TokenWindows({ tokens: train, context, seed }),
      validation: (start) => windowAt(validation, context, start),
      writer(engine, trained, threads) {
        const parameters = model.arrays(trained, frozen);
        return new Generator({ model, engine, parameters, tokenizer, compile: { threads, arena: false } });
      },
      close() {
        train.close();
        validation.close();
      },
    };
  },
  chat: async ({ rows, model: config, frozen: part, objective: { packed }, context }, seed) => {
    const model = Model.fromConfig(config).partly(part ?? {});
    const frozen = await readStored(part, model);
    const { train, validation } = await openChat(rows);
    const windows = (file: typeof train) => new RowWindows(file, { places: context, packed, seed });
    const held = windows(validation);
    return {
      objective: new Chat(model, context) as Objective<unknown>,
      frozen,
      training: new ShuffledSamples(windows(train), seed),
      validation: (number) => held.at(number),
      close() {
        train.close();
        validation.close();
      },
    };
  },
  own: async ({ module: url }, seed) => {
    const module = await loadOwnModule(url);
    const { training, validation } = await samplesOf(module);
    return {
      objective: new Own(module, module.file),
      frozen: new Float32Array(0),
      training: new ShuffledSamples(training, seed),
      validation: (number) => validation.at(number),
      close() {},
    };
  },
};

/**
 * Opens a task for a replica.
 *
 * @param seed of the run
 */
export function openTask<K extends TaskSetup['kind']>(setup: Setup<K>, seed: number): Promise<Task> {
  return OPENERS[setup.kind as K](setup, seed);
}
