import { rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import { writeFileSynced } from '../base/files/atomic.js';
import { writeFolderAtomic } from '../base/files/folder-swap.js';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { type JsonObject, jsonText } from '../base/json.js';
import { encodeSafetensors, type NamedTensors } from '../base/safetensors-writer.js';
import type { NamedWeights } from './match-tensors.js';
import {
  ADAPTER_ADVICE,
  ADAPTER_CONFIG,
  ADAPTER_WEIGHTS,
  HASHES,
  ModelFiles,
  RESTORE,
  SHARD_INDEX,
  TOKENIZER_FILES,
  WEIGHTS,
} from './model-files.js';
import { otherWeights } from './other-weights.js';
import type { AdapterContent } from './peft.js';
import { openShards, parseShardMap, SHARD_ADVICE } from './sharded-weights.js';

/** A model in the layout of Hugging Face. The same content gives the same bytes: nothing tells a time or a run. */
export interface ModelContent {
  /** `config.json`, in Hugging Face's own keys. */
  readonly config: JsonObject;
  /** `generation_config.json`; none is written when left out. */
  readonly generationConfig?: JsonObject;
  /** Weights under Hugging Face's own names, or in their place an adapter, in PEFT's layout, or a file that holds them. */
  readonly tensors: NamedTensors | AdapterContent | WeightsFile;
  /** Texts by file name: `tokenizer.json`, `tokenizer_config.json`. */
  readonly tokenizerFiles: Readonly<Record<string, string>>;
}

/** Weights that are written already, as `model.safetensors` has them: they are moved from there. */
export interface WeightsFile {
  readonly file: string;
  readonly sha256: string;
}

/** A model folder that was found sound. {@link close} it after reading the weights. */
export interface ModelFolder {
  /** Where it was read. */
  readonly path: string;
  readonly config: JsonObject;
  readonly generationConfig?: JsonObject;
  /** Those of {@link TOKENIZER_FILES} that the folder has. */
  readonly tokenizerFiles: Readonly<Record<string, string>>;
  readonly weights: NamedWeights;
  close(): Promise<void>;
}

/** Keys that Python's classes take as a float alone, which a whole number of JSON is not to Python. */
const FLOATS = /^(\s*"(?:(?:attn|final)_logit_softcapping|initializer_(?:cutoff_)?factor)": \d+)(,?)$/gm;

/** A model's `config.json`, as Python takes it. */
export const configText = (config: JsonObject): string => jsonText(config).replace(FLOATS, '$1.0$2');

/**
 * Writes a model folder at once, in the place of an older one if there is one; for a kill between the two renames of
 * that see `folder-swap.ts`. The tensors' memory must not change until the promise resolves.
 *
 * @throws MeanfieldError when there is no space left; the older folder is unharmed
 *
 * @example
 * await writeModelFolder('runs/demo/model', { config, tensors, tokenizerFiles: { 'tokenizer.json': text } });
 */
export async function writeModelFolder(folder: string, content: ModelContent): Promise<void> {
  const texts: Record<string, string> = { 'config.json': configText(content.config) };
  if (content.generationConfig) texts['generation_config.json'] = jsonText(content.generationConfig);
  for (const [name, text] of Object.entries(content.tokenizerFiles)) {
    if (basename(name) !== name || name in texts || name === WEIGHTS || name === HASHES) {
      throw new Error(`${JSON.stringify(name)} cannot be the name of a tokenizer's file`);
    }
    texts[name] = text;
  }
  await writeFolderAtomic(folder, async (temporary) => {
    const { tensors } = content;
    const hashes: Record<string, string> =
      'model' in tensors ? await (await import('./peft.js')).writeAdapter(temporary, tensors) : {};
    if ('file' in tensors) {
      await rename(tensors.file, join(temporary, WEIGHTS));
      hashes[WEIGHTS] = tensors.sha256;
    } else if (!('model' in tensors)) {
      const weights = encodeSafetensors(tensors, { format: 'pt' });
      hashes[WEIGHTS] = (await writeFileSynced(join(temporary, WEIGHTS), weights)).sha256;
    }
    for (const [name, data] of Object.entries(texts)) {
      hashes[name] = (await writeFileSynced(join(temporary, name), data)).sha256;
    }
    const sorted = Object.fromEntries(Object.entries(hashes).sort(([a], [b]) => (a < b ? -1 : 1)));
    await writeFileSynced(join(temporary, HASHES), jsonText({ sha256: sorted }));
  });
}

/** How a model folder is opened. */
export interface ReadModelOptions {
  /** Whether to compare our hashes, for which all weights are read. Default true. */
  readonly check?: boolean;
  /** Whether the tensors of an adapter alone will do. Default false. */
  readonly adapters?: boolean;
  /** To be taken in place of the folder's own. */
  readonly weights?: SafetensorsFile;
}

/**
 * Opens a model folder: ours, every file of which must be as it was written, or another of Hugging Face's layout, which
 * has no hashes. A writer may replace the folder meanwhile.
 *
 * @throws MeanfieldError when the folder is missing, a file is missing or damaged, or the weights are in another format
 */
export async function readModelFolder(
  folder: string,
  { check = true, adapters = false, weights: given }: ReadModelOptions = {},
): Promise<ModelFolder> {
  const files = await ModelFiles.open(folder);
  try {
    if (check) await checkHashes(files);
    const { path } = files;
    const config = await files.object('config.json', 'A model folder needs it as Hugging Face writes it.');
    const generationConfig = await readGenerationConfig(files);
    const tokenizerFiles = await readTokenizerFiles(files);
    const weights = given ?? (await openWeights(files, adapters ? [ADAPTER_WEIGHTS, WEIGHTS] : [WEIGHTS]));
    return {
      path,
      config,
      ...(generationConfig && { generationConfig }),
      tokenizerFiles,
      weights,
      close: () => weights.close(),
    };
  } finally {
    await files.close();
  }
}

/** An adapter by itself, whose base need not be there. */
export interface AdapterFolder extends Pick<ModelFolder, 'generationConfig' | 'tokenizerFiles' | 'weights' | 'close'> {
  /** `adapter_config.json`, as PEFT writes it. */
  readonly settings: JsonObject;
}

/**
 * Opens an adapter's folder, ours or PEFT's. {@link ModelFolder.close} it after reading.
 *
 * @throws MeanfieldError when a file is missing or damaged, or it is no adapter of a kind that is computed here
 */
export async function readAdapterFolder(folder: string): Promise<AdapterFolder> {
  // With it come the layers and what computes them, which whoever reads but a whole model's files need not wait for.
  const { checkSettings } = await import('./peft.js');
  const { matricesIn } = await import('./peft-tensors.js');
  const files = await ModelFiles.open(folder);
  try {
    await checkHashes(files);
    const settings = await files.object(ADAPTER_CONFIG, ADAPTER_ADVICE);
    const checked = checkSettings(settings, join(files.path, ADAPTER_CONFIG));
    const generationConfig = await readGenerationConfig(files);
    const tokenizerFiles = await readTokenizerFiles(files);
    if (!files.has(ADAPTER_WEIGHTS))
      throw new MeanfieldError(`${files.path} has no ${ADAPTER_WEIGHTS}. ${ADAPTER_ADVICE}`);
    const weights = await SafetensorsFile.from(files.take(ADAPTER_WEIGHTS), join(files.path, ADAPTER_WEIGHTS));
    try {
      if (matricesIn(weights, checked).found.size === 0)
        throw new MeanfieldError(`${weights.path} holds no adapter: none of its tensors is a lora_A.`);
    } catch (error) {
      await weights.close();
      throw error;
    }
    const texts = { ...(generationConfig && { generationConfig }), tokenizerFiles };
    return { settings, ...texts, weights, close: () => weights.close() };
  } finally {
    await files.close();
  }
}

async function readGenerationConfig(files: ModelFiles): Promise<JsonObject | undefined> {
  if (!files.has('generation_config.json')) return undefined;
  return files.object('generation_config.json', 'Without it the model can be read as well: delete it.');
}

async function readTokenizerFiles(files: ModelFiles): Promise<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const name of TOKENIZER_FILES) if (files.has(name)) texts[name] = await files.text(name);
  return texts;
}

async function openWeights(
  files: ModelFiles,
  names: readonly string[],
): Promise<NamedWeights & { close(): Promise<void> }> {
  const { path } = files;
  const name = names.find((one) => files.has(one));
  if (name !== undefined) return SafetensorsFile.from(files.take(name), join(path, name));
  if (!files.has(SHARD_INDEX)) {
    throw new MeanfieldError((await otherWeights(path)) ?? `${path} has no ${WEIGHTS}. ${RESTORE}`);
  }
  const index = join(path, SHARD_INDEX);
  const map = parseShardMap(await files.object(SHARD_INDEX, SHARD_ADVICE), index);
  return openShards(index, map, (name) => (files.has(name) ? files.take(name) : undefined));
}

async function checkHashes(files: ModelFiles): Promise<void> {
  for (const [name, hash] of Object.entries(files.hashes ?? {})) {
    if ((await files.sha256(name)) !== hash) {
      throw new MeanfieldError(
        `${join(files.path, name)} is damaged: its hash is not the one in ${HASHES}. ${RESTORE}`,
      );
    }
  }
}
