import { basename, join } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import { exists } from '../base/files/exists.js';
import { readJsonFile } from '../base/files/json-file.js';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { isJsonObject, type JsonObject, type JsonValue } from '../base/json.js';
import { POOLINGS, type Pooling } from '../model/family-names.js';
import names from './sentence-modules.json' with { type: 'json' };

/** A layer after pooling. */
export interface DenseLayer {
  /** [outputs, inputs] */
  readonly weight: Float32Array;
  readonly bias?: Float32Array;
  readonly inputs: number;
  readonly outputs: number;
  readonly activation: DenseActivation;
}

/** What comes after a dense layer. */
export type DenseActivation = 'identity' | 'tanh' | 'sigmoid' | 'gelu' | 'silu' | 'relu';

/** How vectors come of texts, as a folder of sentence-transformers says. */
export interface SentenceModules {
  /** Of more than one, their vectors joined. */
  readonly poolings: readonly Pooling[];
  /** What is done with the pooled vector, in order. */
  readonly after: readonly (DenseLayer | 'normalize')[];
  /** Tokens that a text may have, special ones included; the model's context where it is left out. */
  readonly maxTokens?: number;
  /** Whether texts are put in lower case first. */
  readonly lowerCase: boolean;
  /** What stands before every text. */
  readonly prompt: string;
  /** `config_sentence_transformers.json`, with prompts that are chosen by name, where there is one. */
  readonly settings?: JsonObject;
}

/** Of a model that says nothing of it: the mean of its hidden states. */
export const MEAN: SentenceModules = { poolings: ['mean'], after: [], lowerCase: false, prompt: '' };

/** The folder's own list of its parts. */
export const MODULES = 'modules.json';
/** Of the first part: where texts are cut. */
export const TRANSFORMER_SETTINGS = 'sentence_bert_config.json';
/** Of the whole: prompts. */
export const SENTENCE_SETTINGS = 'config_sentence_transformers.json';
const ADVICE = 'Take the folder as sentence-transformers saved it.';

interface Module {
  readonly kind: string;
  readonly path: string;
}

/**
 * Where in a folder of sentence-transformers the model itself lies.
 *
 * @returns the folder itself where it is none of those
 * @throws MeanfieldError when its list is damaged
 */
export async function transformerFolder(folder: string): Promise<string> {
  if (typeof folder !== 'string' || !(await exists(join(folder, MODULES)))) return folder;
  const [first] = await readModules(folder);
  return first!.path;
}

/**
 * Reads how vectors come of texts: `modules.json` and what it names.
 *
 * @param folder that of the model, or the one around it
 * @returns undefined where there is no such list
 * @throws MeanfieldError when a file is missing or damaged, or a module is none that can be computed here
 */
export async function readSentenceModules(folder: string): Promise<SentenceModules | undefined> {
  if (!(await exists(join(folder, MODULES)))) return undefined;
  const [transformer, pooling, ...rest] = await readModules(folder);
  if (pooling?.kind !== 'Pooling')
    throw new MeanfieldError(
      `${join(folder, MODULES)}: expected Pooling after Transformer, got ${pooling?.kind ?? 'nothing'}. Models that pool ` +
        'otherwise are not read here: use Python sentence-transformers.',
    );
  const pooled = await optionalObject(join(pooling.path, 'config.json'), true);
  const after: (DenseLayer | 'normalize')[] = [];
  for (const { kind, path } of rest) {
    if (kind === 'Normalize') after.push('normalize');
    else if (kind === 'Dense') after.push(await readDense(path));
    else
      throw new MeanfieldError(
        `${join(folder, MODULES)} has a module ${kind}, which Meanfield does not compute; allowed after Pooling: Dense, ` +
          'Normalize. Use Python sentence-transformers for this model.',
      );
  }
  const settings = await optionalObject(join(transformer!.path, TRANSFORMER_SETTINGS));
  const texts = await optionalObject(join(folder, SENTENCE_SETTINGS));
  const prompt = promptOf(texts, join(folder, SENTENCE_SETTINGS));
  if (prompt !== '' && pooled.include_prompt === false)
    throw new MeanfieldError(
      `${join(pooling.path, 'config.json')} leaves the prompt out of pooling, which Meanfield does not compute.`,
    );
  const maxTokens = settings.max_seq_length;
  if (maxTokens !== undefined && maxTokens !== null && !(Number.isSafeInteger(maxTokens) && Number(maxTokens) > 0))
    throw damaged(join(transformer!.path, TRANSFORMER_SETTINGS), 'a whole number max_seq_length', maxTokens);
  return {
    poolings: poolingsOf(pooled, join(pooling.path, 'config.json')),
    after,
    ...(typeof maxTokens === 'number' && { maxTokens }),
    lowerCase: settings.do_lower_case === true,
    prompt,
    ...(Object.keys(texts).length > 0 && { settings: texts }),
  };
}

async function readModules(folder: string): Promise<Module[]> {
  const path = join(folder, MODULES);
  const list = await readJsonFile(path, ADVICE);
  const modules = (Array.isArray(list) ? list : []).map((each): Module => {
    const { type, path: place } = isJsonObject(each) ? each : {};
    if (typeof type !== 'string' || typeof place !== 'string') throw damaged(path, 'a list of types and paths', list);
    // A folder beside: no other place.
    if (place !== '' && (basename(place) !== place || place === '..' || place === '.'))
      throw new MeanfieldError(`${path} names ${JSON.stringify(place)}, a folder elsewhere. ${ADVICE}`);
    return { kind: type.slice(type.lastIndexOf('.') + 1), path: join(folder, place) };
  });
  if (modules[0]?.kind !== 'Transformer') throw damaged(path, 'a list that begins with a Transformer', list);
  return modules;
}

/** The modes that are on, in the order in which sentence-transformers joins their vectors. */
function poolingsOf(config: JsonObject, path: string): Pooling[] {
  const { pooling_mode: mode } = config;
  const older = Object.entries(names.poolingKeys)
    .filter(([key]) => config[key] === true)
    .map(([, pooling]) => pooling);
  const modes: readonly JsonValue[] = mode === undefined ? older : Array.isArray(mode) ? mode : [mode];
  const known = modes.filter((each): each is Pooling => POOLINGS.some((name) => name === each));
  if (known.length < modes.length || (mode !== undefined && modes.length === 0))
    throw damaged(path, `pooling_mode of ${POOLINGS.join(', ')}`, mode);
  return known.length > 0 ? known : ['mean'];
}

function promptOf({ prompts, default_prompt_name: name }: JsonObject, path: string): string {
  if (name === undefined || name === null) return '';
  const prompt = isJsonObject(prompts) && typeof name === 'string' && Object.hasOwn(prompts, name) ? prompts[name] : 0;
  if (typeof prompt !== 'string') throw damaged(path, 'the prompt of default_prompt_name among prompts', name);
  return prompt;
}

async function readDense(folder: string): Promise<DenseLayer> {
  const path = join(folder, 'config.json');
  const config = await optionalObject(path, true);
  const { in_features: inputs, out_features: outputs, bias = true, activation_function: activation } = config;
  const size = (value: JsonValue | undefined): value is number => Number.isSafeInteger(value) && Number(value) > 0;
  if (!size(inputs) || !size(outputs)) throw damaged(path, 'sizes in_features and out_features', inputs ?? null);
  const known: Readonly<Record<string, string>> = names.activations;
  const name = activation === undefined ? 'Tanh' : String(activation);
  const short = name.slice(name.lastIndexOf('.') + 1);
  const odd = ['use_residual', 'module_input_name', 'module_output_name'].find(
    (key) => ![undefined, null, false, 'sentence_embedding'].includes(config[key] as null),
  );
  if (!Object.hasOwn(known, short) || odd !== undefined)
    throw new MeanfieldError(
      `${path}: ${odd ?? 'activation_function'} is ${JSON.stringify(config[odd ?? 'activation_function'])}, which ` +
        `Meanfield does not compute; allowed: ${odd ? 'leaving it out' : Object.keys(known).join(', ')}.`,
    );
  const weights = await SafetensorsFile.open(join(folder, 'model.safetensors'));
  try {
    const weight = new Float32Array(inputs * outputs);
    const tensors = [{ name: 'linear.weight', shape: [outputs, inputs], data: weight }];
    const shift = bias === false ? undefined : new Float32Array(outputs);
    if (shift) tensors.push({ name: 'linear.bias', shape: [outputs], data: shift });
    await weights.fill(tensors);
    return { weight, ...(shift && { bias: shift }), inputs, outputs, activation: known[short] as DenseActivation };
  } finally {
    await weights.close();
  }
}

async function optionalObject(path: string, required = false): Promise<JsonObject> {
  if (!required && !(await exists(path))) return {};
  const value = await readJsonFile(path, ADVICE);
  if (!isJsonObject(value)) throw damaged(path, 'a JSON object', value);
  return value;
}

function damaged(path: string, expected: string, got: JsonValue | undefined): MeanfieldError {
  const text = JSON.stringify(got) ?? 'nothing';
  return new MeanfieldError(`${path} is damaged: expected ${expected}, got ${text.slice(0, 80)}. ${ADVICE}`);
}
