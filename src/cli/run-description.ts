import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import { isJsonObject, type JsonObject, type JsonValue, readJsonFile } from '../base/json.js';
import { SafetensorsFile } from '../base/safetensors.js';
import { listCheckpoints } from '../training/checkpoint.js';
import { currentFolder } from '../training/folder-swap.js';
import { readRunFile, runPaths } from '../training/run-folder.js';
import { type RunProgress, readProgress } from './run-progress.js';

/** What `meanfield info` tells; nothing here loads the engine. */
export interface RunDescription {
  readonly run: string;
  readonly kind: 'run' | 'model';
  /** The model; missing until the tokenizer has decided its size. */
  readonly model?: ModelDescription;
  readonly progress?: RunProgress & { readonly checkpoints: readonly number[] };
  /** The options of the run, with defaults. */
  readonly configuration?: JsonObject;
  /** Fingerprint and size of the text. */
  readonly data?: JsonObject;
  /** What was chosen or measured where the options left it open. */
  readonly chosen?: JsonObject;
  /** Versions with which the run was started. */
  readonly environment?: JsonObject;
}

/** A model as its `config.json` and the header of its weights tell it. */
export interface ModelDescription {
  /** Where the best so far lies; missing before the first evaluation. */
  readonly path?: string;
  readonly family: string;
  readonly parameters: number;
  /** Layers, width and the like, by our names. */
  readonly sizes: Readonly<Record<string, number>>;
}

/** A size's key in `config.json`: GPT-2's, or that of all newer families. */
const SIZES: readonly (readonly [name: string, ...keys: string[]])[] = [
  ['layers', 'n_layer', 'num_hidden_layers'],
  ['width', 'n_embd', 'hidden_size'],
  ['heads', 'n_head', 'num_attention_heads'],
  ['kv heads', 'num_key_value_heads'],
  ['context', 'n_positions', 'max_position_embeddings'],
  ['vocabulary', 'vocab_size'],
];

/**
 * Reads what a run folder or a Hugging Face model folder tells of itself. The run may be training meanwhile.
 *
 * @throws MeanfieldError when the folder is neither, or a file in it is damaged
 */
export async function describeRun(folder: string): Promise<RunDescription> {
  const paths = runPaths(folder);
  if (await exists(paths.run)) {
    const content = object(await readRunFile(folder));
    const { data, model: config, parameters, ...chosen } = object(content.chosen);
    const model = await currentFolder(paths.model);
    return {
      run: folder,
      kind: 'run',
      ...(model !== undefined
        ? { model: await describeModel(model) }
        : isJsonObject(config) && { model: modelOf(config, Number(parameters)) }),
      progress: { ...(await readProgress(paths.metrics)), checkpoints: await listCheckpoints(paths.checkpoints) },
      configuration: object(content.options),
      data: object(data),
      chosen,
      environment: object(content.versions),
    };
  }
  if (await exists(join(folder, 'config.json'))) {
    return { run: folder, kind: 'model', model: await describeModel(folder) };
  }
  const found = (await exists(folder)) ? 'it holds neither run.json nor config.json' : 'there is no such folder';
  throw new MeanfieldError(`${folder} is neither a run nor a model: ${found}. Name a folder that train has made.`);
}

async function describeModel(path: string): Promise<ModelDescription> {
  const config = await readJsonFile(join(path, 'config.json'), 'A model folder needs it as Hugging Face writes it.');
  if (!isJsonObject(config)) throw new MeanfieldError(`${join(path, 'config.json')} must hold a JSON object.`);
  const weights = await SafetensorsFile.open(join(path, 'model.safetensors'));
  let parameters = 0;
  for (const { shape } of weights.tensors.values()) parameters += shape.reduce((product, size) => product * size, 1);
  await weights.close();
  return { path, ...modelOf(config, parameters) };
}

function modelOf(config: JsonObject, parameters: number): ModelDescription {
  const sizes: Record<string, number> = {};
  for (const [name, ...keys] of SIZES) {
    const size = keys.map((key) => config[key]).find((value) => typeof value === 'number');
    if (typeof size === 'number') sizes[name] = size;
  }
  return { family: String(config.model_type ?? 'unknown'), parameters, sizes };
}

function object(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {};
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
