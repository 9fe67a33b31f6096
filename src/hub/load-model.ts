import { dirname, join } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import { exists } from '../base/files/exists.js';
import { SafetensorsFile } from '../base/files/safetensors.js';
import type { JsonObject } from '../base/json.js';
import { parseTokenizer, type Tokenizer } from '../data/index.js';
import { growVocabulary } from '../model/grow-vocabulary.js';
import type { ParameterLayout } from '../model/layout.js';
import type { Model } from '../model/model.js';
import { checkCopy, matchModel, textFiles } from './match-model.js';
import type { MatchedTensor, NamedWeights } from './match-tensors.js';
import { ADAPTER_CONFIG, FROZEN } from './model-files.js';
import { type ModelFolder, readAdapterFolder } from './model-folder.js';
import { adapterPlace, openModel, placeOf } from './open-model.js';
import { type AdapterMatrices, adapterBase, type LoadedAdapter, readAdapter } from './peft.js';
import { takeTwoEnds, withTwoEnds } from './peft-ends.js';
import { takeTokenRows } from './peft-tokens.js';
import { readSentenceModules, type SentenceModules } from './sentence-folder.js';

/** A model in memory, with what it reads and writes text by. */
export interface LoadedModel {
  readonly model: Model;
  /** The model's vector, as its layout describes it. */
  readonly parameters: Float32Array;
  readonly tokenizer: Tokenizer;
  /** The tokenizer's files, by name, with the chat template where it has one. */
  readonly tokenizerFiles: Readonly<Record<string, string>>;
  readonly generationConfig?: JsonObject;
  /** How texts become vectors, in a folder of sentence-transformers. */
  readonly sentence?: SentenceModules;
  /** What the user should be told: keys and tensors that nothing here reads. */
  readonly notices: readonly string[];
}

/** A model of text whose files are open, before its parameters are read. */
export interface OpenTextModel {
  /** Where its files lie. */
  readonly path: string;
  readonly model: Model;
  readonly generationConfig?: JsonObject;
  /** The tokenizer's own files, by name. */
  readonly tokenizerFiles: Readonly<Record<string, string>>;
  /** What the user should be told: keys and tensors that nothing here reads. */
  readonly notices: readonly string[];
  /** What tells its weights from others, and this state of them from another; undefined where they are made of several models'. */
  readonly state?: (() => Promise<string>) | undefined;
  tokenizer(): Promise<Tokenizer>;
  /** The model's vector. @throws MeanfieldError when tensors are damaged, or tied ones differ */
  parameters(): Promise<Float32Array>;
  /**
   * Writes one of the model's parameters into `values`, for whoever makes something smaller of each; undefined where they are
   * made of several models'. Errors as {@link parameters}.
   */
  readonly parameter?: ((name: string, values: Float32Array) => Promise<void>) | undefined;
}

/**
 * Loads the best model of a run, or a model folder in Hugging Face's layout, of a family that Meanfield knows.
 *
 * @param folder a run folder, whose `model/` is read, a model folder, or one of an adapter: then the model is what its
 * base is with it
 * @param merge left out, adapters are refused
 * @param base the model that an adapter stands beside, in the place of the one that its settings name
 * @param read gives the parameters, where who loads may have what it makes of them already
 * @throws MeanfieldError when a file is missing or damaged, or the weights are not those of the configuration
 * @throws UsageError for a configuration that no family can be
 */
export function loadModel(
  folder: string,
  merge?: MergeAdapter,
  base?: string,
  read = (opened: OpenTextModel) => opened.parameters(),
): Promise<LoadedModel> {
  const load = async (opened: OpenTextModel): Promise<LoadedModel> => {
    const { model, path, notices, generationConfig, tokenizerFiles } = opened;
    // The file is read while the tokenizer is made.
    const [parameters, tokenizer] = await Promise.all([read(opened), opened.tokenizer()]);
    const sentence = (await readSentenceModules(path)) ?? (await readSentenceModules(await placeOf(folder)));
    return {
      ...{ model, parameters, tokenizer, tokenizerFiles },
      ...(generationConfig && { generationConfig }),
      ...(sentence && { sentence }),
      notices,
    };
  };
  return withLayers(folder, load, merge, [], base);
}

/** Adds an adapter to a model's parameters, in place: `training/merge-adapter.ts` with an engine, which this room has not. */
export type MergeAdapter = (
  layout: ParameterLayout,
  parameters: Float32Array,
  layers: readonly AdapterMatrices[],
) => Promise<void>;

/**
 * Opens a model as {@link loadModel} does, for as long as some work with it takes.
 *
 * @throws MeanfieldError when a file is missing or damaged, or the weights are not those of the configuration
 * @throws UsageError for a configuration that no family can be
 */
export async function withTextModel<T>(
  folder: string,
  work: (opened: OpenTextModel) => Promise<T>,
  merge?: MergeAdapter,
): Promise<T> {
  return withLayers(folder, work, merge, []);
}

/** @param above adapters that are joined with what is opened */
async function withLayers<T>(
  folder: string,
  work: (opened: OpenTextModel) => Promise<T>,
  merge: MergeAdapter | undefined,
  above: readonly string[],
  base?: string,
): Promise<T> {
  const adapter = merge && typeof folder === 'string' ? await adapterPlace(folder) : undefined;
  if (merge === undefined || adapter === undefined) return withOpened(folder, await openModel(folder), work);
  if (above.includes(adapter))
    throw new MeanfieldError(
      `The adapter in ${adapter} has itself for a base. Write the model that it was trained beside into ` +
        `base_model_name_or_path of ${join(adapter, ADAPTER_CONFIG)}.`,
    );
  return withAdapted(adapter, work, merge, [...above, adapter], base);
}

/** The model that an adapter's settings name for its base; undefined for what is none, or a run that holds its base. */
export async function adapterBaseOf(model: string): Promise<string | undefined> {
  const place = await adapterPlace(model);
  return place === undefined || (await exists(join(dirname(place), FROZEN))) ? undefined : adapterBase(place);
}

/** The base of an adapter, joined with it: the frozen parameters of the run that it lies in, else what its settings name. */
async function withAdapted<T>(
  folder: string,
  work: (opened: OpenTextModel) => Promise<T>,
  merge: MergeAdapter,
  above: readonly string[],
  named?: string,
): Promise<T> {
  const joined = async (base: OpenTextModel) => {
    const read = await readAdapter(folder, base.model);
    const parameters = async () => {
      const own = await base.parameters();
      const ends = read.untied ? takeTwoEnds(base.model, own) : { model: base.model, parameters: own };
      const views = ends.model.layout.views(ends.parameters);
      for (const [name, values] of Object.entries(read.replaced)) views[name]!.set(values);
      const { model, parameters: all } = takeTokenRows(ends.model, ends.parameters, read);
      await merge(model.layout, all, read.layers);
      return all;
    };
    const { model } = growVocabulary(read.untied ? withTwoEnds(base.model)! : base.model, read.vocabulary);
    return work({
      ...base,
      ...(await ownTokenizer(folder, read)),
      model,
      parameters,
      parameter: undefined,
      state: undefined,
    });
  };
  const frozen = join(dirname(folder), FROZEN);
  if (named === undefined && (await exists(frozen))) {
    const weights = await SafetensorsFile.open(frozen);
    return withOpened(folder, await openModel(folder, { weights }), joined);
  }
  return withLayers(named ?? (await baseOf(folder)), joined, merge, above);
}

/** The tokenizer of an adapter with tokens of its own. @throws MeanfieldError where its folder has none */
async function ownTokenizer(
  folder: string,
  { tokenRows }: LoadedAdapter,
): Promise<Partial<Pick<OpenTextModel, 'tokenizerFiles' | 'tokenizer'>>> {
  if (tokenRows.length === 0) return {};
  const { tokenizerFiles, close } = await readAdapterFolder(folder);
  await close();
  const json = tokenizerFiles['tokenizer.json'];
  if (json === undefined)
    throw new MeanfieldError(
      `The adapter in ${folder} trained rows of tokens, and has no tokenizer.json that tells which those are. Save it ` +
        'beside it in Python: tokenizer.save_pretrained(folder).',
    );
  const files = { 'tokenizer.json': json, 'tokenizer_config.json': tokenizerFiles['tokenizer_config.json'] ?? '{}' };
  return { tokenizerFiles, tokenizer: () => parseTokenizer(files, folder) };
}

async function baseOf(folder: string): Promise<string> {
  const base = await adapterBase(folder);
  const what = `The adapter in ${folder} was trained beside a model`;
  if (base === undefined) throw new MeanfieldError(`${what} that its ${ADAPTER_CONFIG} does not name.`);
  if (await exists(await placeOf(base))) return base;
  throw new MeanfieldError(
    `${what} in ${base}, where there is nothing; nor has the Hugging Face hub's cache it. Write the folder where it lies into base_model_name_or_path of ` +
      `${join(folder, ADAPTER_CONFIG)}.`,
  );
}

async function withOpened<T>(
  folder: string,
  opened: ModelFolder,
  work: (opened: OpenTextModel) => Promise<T>,
): Promise<T> {
  try {
    const { config, path, weights, tokenizerFiles, generationConfig } = opened;
    const { model, tensors, notices } = matchModel(config, weights, { name: folder, path });
    const files = textFiles(tokenizerFiles, path);
    return await work({
      ...{ path, model, tokenizerFiles },
      ...(generationConfig && { generationConfig }),
      notices,
      state: async () => JSON.stringify([config, await weights.state()]),
      tokenizer: () => parseTokenizer(files, path),
      parameters: async () => {
        const parameters = new Float32Array(model.layout.size);
        for (const tensor of tensors) {
          const { offset, size } = tensor.entry;
          await readParameter(weights, tensor, parameters.subarray(offset, offset + size));
        }
        return parameters;
      },
      parameter: (name, values) => readParameter(weights, tensors.find(({ entry }) => entry.name === name)!, values),
    });
  } finally {
    await opened.close();
  }
}

async function readParameter(
  weights: NamedWeights,
  { name, copies }: MatchedTensor,
  values: Float32Array,
): Promise<void> {
  await weights.readFloat32(name, values);
  for (const copy of copies) {
    const other = await weights.readFloat32(copy);
    checkCopy(weights.path, { name, values }, { name: copy, values: other });
  }
}
