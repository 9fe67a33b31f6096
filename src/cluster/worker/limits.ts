import { MeanfieldError } from '../../base/errors.js';
import { spelledError } from '../../base/spelling.js';
import { Model } from '../../model/model.js';
import { describeNeed, memoryNeeded } from '../memory.js';
import type { Configuration } from '../protocol/configuration.js';

/** What a run may ask of a machine that takes part. The coordinator is a stranger too. */
export interface WorkerLimits {
  /** Folders from which, or from below which, the run's data may be read where it is not sent. None unless given. */
  readonly dataFolders?: readonly string[];
  /** Hosts from which the run's data may be fetched by http(s), beside those of the invitation. */
  readonly dataHosts?: readonly string[];
  /** Bytes of tokens. Default 20 GB. */
  readonly maxDataBytes?: number;
  /** Bytes of memory, of all replicas together. Default: what the machine can give out. */
  readonly maxMemoryBytes?: number;
}

/** More is no model of today, and would take the memory before anyone could say how much the model needs. */
const MOST_LAYERS = 10_000;
/** Of a run's configuration; the names of a hundred thousand files have room in it. */
export const MOST_CONFIGURATION = 32 * 2 ** 20;
/** {@link WorkerLimits.maxDataBytes} */
export const MOST_DATA = 20e9;

/**
 * The model of a run, of whatever size.
 *
 * @throws MeanfieldError when it is too much to be laid out
 */
export function modelOfRun({ setup }: Configuration): Model {
  const { n_layer: gpt2, num_hidden_layers: llama } = setup.model;
  const layers = Math.max(...[gpt2, llama].map((value) => (typeof value === 'number' ? value : 0)));
  if (layers > MOST_LAYERS)
    throw new MeanfieldError(`The run's model has ${layers} layers; a worker takes ${MOST_LAYERS} at most.`);
  return Model.fromConfig(setup.model).partly(setup);
}

/**
 * The model of a run, if this machine has room for it, whatever the coordinator says.
 *
 * @param memory bytes
 * @throws MeanfieldError when it needs more
 */
export function allowedModel(configuration: Configuration, replicas: number, memory: number): Model {
  const { setup } = configuration;
  const model = modelOfRun(configuration);
  const need = memoryNeeded(model, setup, replicas);
  if (need.total <= memory) return model;
  throw spelledError(
    MeanfieldError,
    ({ option }) =>
      `The run needs ${describeNeed(need)} for ${replicas} replicas here, and may have ${(memory / 1e9).toFixed(2)} GB. ` +
      `Use fewer ${option('replicas')} or a machine with more, or allow more by ${option('maxMemory')} where that was given; ` +
      `${option('offload', 'all')} trains layer by layer in less.`,
  );
}
