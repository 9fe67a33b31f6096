import { join } from 'node:path';
import { z } from 'zod';
import { MeanfieldError } from '../base/errors.js';
import { writeFileSynced } from '../base/files/atomic.js';
import { readJsonFile } from '../base/files/json-file.js';
import { pathFault } from '../base/files/path-fault.js';
import { SafetensorsFile } from '../base/files/safetensors.js';
import { isJsonObject, type JsonObject, type JsonValue, jsonText } from '../base/json.js';
import { encodeSafetensors, type NamedTensor } from '../base/safetensors-writer.js';
import {
  type AdaptableLayer,
  type AdaptedLayer,
  adapterNames,
  adapterScale,
  HEAD,
  type LoraSettings,
} from '../model/adapter.js';
import type { ParameterEntry } from '../model/layout.js';
import type { Model } from '../model/model.js';
import { modulesOf, savedName } from '../model/saved-modules.js';
import { type TokenRange, tokenRowsName } from '../model/token-rows.js';
import { ADAPTER_ADVICE, ADAPTER_CONFIG, ADAPTER_WEIGHTS } from './model-files.js';
import { sameEnds, transposed } from './peft-ends.js';
import settingRules from './peft-settings.json' with { type: 'json' };
import { type FoundTensors, matricesIn } from './peft-tensors.js';
import { type LoadedRows, readTokenRows } from './peft-tokens.js';

/*
 * Adapters in PEFT's layout (huggingface/peft: constants.py, save_and_load.py, lora/config.py): `adapter_config.json` and
 * `adapter_model.safetensors`, where a layer's matrices are `base_model.model.LAYER.lora_A.weight` and `…lora_B.weight`, an
 * embedding's `…lora_embedding_A` and `…lora_embedding_B`. Beside an adapted `embed_tokens` or `lm_head` save_pretrained writes
 * the matrix itself as well, `LAYER.base_layer.weight`, which counts in place of the base's.
 */
const PREFIX = 'base_model.model.';
/** Of rows that an adapter trains, and of the ids of their tokens. */
const MOST_TOKENS = 2 ** 24;
/** Of modules that are trained whole, and of characters of their names. */
const MOST_MODULES = 10_000;
const MOST_NAME = 200;

/** The matrices of a layer's adapter: A [R, I] and B [O, R], row-major. */
export interface AdapterMatrices extends AdaptedLayer {
  readonly a: Float32Array;
  readonly b: Float32Array;
}

/** An adapter that was read. */
export interface LoadedAdapter {
  readonly layers: readonly AdapterMatrices[];
  /** Matrices that its file holds in place of the base's, by the parameters' names. */
  readonly replaced: Readonly<Record<string, Float32Array>>;
  /** Whether the model has an embedding and a head of its own with it, where the base has one matrix for both. */
  readonly untied: boolean;
  /** Rows of tokens, in place of the base's or behind them. */
  readonly tokenRows: readonly LoadedRows[];
  /** Tokens that the model has with it: those of the base, unless rows lie behind them. */
  readonly vocabulary: number;
  /** What it was trained beside, by the name that whoever trained it used. */
  readonly base: string | undefined;
}

const tokenIds = z.array(z.int().nonnegative()).max(MOST_TOKENS);

const schema = z.looseObject({
  peft_type: z.string(),
  r: z.int().positive(),
  lora_alpha: z.number().positive(),
  use_rslora: z.boolean().nullish(),
  alpha_pattern: z.record(z.string(), z.number().positive()).nullish(),
  base_model_name_or_path: z.string().nullish(),
  /** Ids of tokens whose rows are trained: of the embedding, or by the names of matrices. */
  trainable_token_indices: z.union([tokenIds, z.record(z.string(), tokenIds)]).nullish(),
  /** Ends of the names of modules that were trained whole. */
  modules_to_save: z.array(z.string().min(1).max(MOST_NAME)).max(MOST_MODULES).nullish(),
});

/** The name of the model that the adapter of a folder was trained beside. @throws MeanfieldError when the file is damaged */
export async function adapterBase(folder: string): Promise<string | undefined> {
  return (await readSettings(folder)).base_model_name_or_path ?? undefined;
}

/**
 * Reads an adapter for the layers of a model.
 *
 * @throws MeanfieldError when a file is missing or damaged, the adapter does what is not computed here, or its matrices do
 * not fit the model's layers: then it is another model's
 */
export async function readAdapter(folder: string, model: Model): Promise<LoadedAdapter> {
  const settings = await readSettings(folder);
  const path = join(folder, ADAPTER_WEIGHTS);
  const fault = await pathFault(path, 'file');
  if (fault !== undefined) throw new MeanfieldError(`Cannot read ${path}: ${fault}. ${ADAPTER_ADVICE}`);
  const file = await SafetensorsFile.open(path);
  try {
    const tensors = matricesIn(file, settings);
    const target = await sameEnds(file, tensors, model);
    const { copies, rows, saved } = tensors;
    const found = target.together ? withoutHead(tensors.found) : tensors.found;
    const layers: AdapterMatrices[] = [];
    const wrong: string[] = [];
    const adaptable = new Map(target.model.adaptableLayers().map((layer) => [layer.name, layer]));
    for (const [name, { a, b }] of found) {
      const layer = layerOf(adaptable, name);
      const [rank] = file.info(a).shape;
      const expected = layer && rank ? [`${rank},${layer.inputs}`, `${layer.outputs},${rank}`] : [];
      const embeds = a.includes('.lora_embedding_');
      if (
        !layer ||
        !rank ||
        embeds !== (layer.role === 'embedding') ||
        [a, b].some((each, i) => file.info(each).shape.join() !== expected[i])
      ) {
        wrong.push(misfit(file, name, a, b, layer));
        continue;
      }
      const scale = adapterScale({
        rank,
        alpha: alphaOf(settings, name),
        rankStabilized: settings.use_rslora === true,
      });
      layers.push({ ...layer, rank, scale, a: await file.readFloat32(a), b: await file.readFloat32(b) });
    }
    const replaced: Record<string, Float32Array> = {};
    const whole = [...[...copies].map(([name, tensor]) => [`${name}.weight`, tensor] as const), ...saved];
    for (const [name, tensor] of whole) {
      if (target.together && name === `${HEAD}.weight`) continue;
      const entry = entryOf(target.model.layout.entries, name);
      if (entry?.shape.join() === file.info(tensor).shape.join()) replaced[entry.name] = await file.readFloat32(tensor);
      else wrong.push(`${tensor} is [${file.info(tensor).shape.join(', ')}], which no matrix of the model is`);
    }
    if (wrong.length > 0) {
      const base = settings.base_model_name_or_path;
      const more = wrong.length > 3 ? `; and ${wrong.length - 3} more` : '';
      throw new MeanfieldError(
        `${path} is no adapter of this ${model.architecture.name} model: ${wrong.slice(0, 3).join('; ')}${more}. ` +
          `It was trained beside ${base ? base : 'a model that its configuration does not name'}.`,
      );
    }
    if (layers.length === 0) throw new MeanfieldError(`${path} holds no adapter: none of its tensors is a lora_A.`);
    const tokens = await readTokenRows(file, rows, settings, target.model);
    const order = [...adaptable.keys()];
    layers.sort((one, other) => order.indexOf(one.name) - order.indexOf(other.name));
    return {
      layers,
      replaced,
      untied: target.model !== model,
      ...tokens,
      base: settings.base_model_name_or_path ?? undefined,
    };
  } finally {
    await file.close();
  }
}

/**
 * Writes a model's adapter into a folder that is being made.
 *
 * @param trained the vector of the adapter's parameters, as `model.trained` lays it out
 * @param base the name of the model that it was trained beside, for PEFT to find it
 * @returns the sha256 of each file by name
 */
export async function writeAdapter(
  folder: string,
  { model, trained, settings, dropout, base }: AdapterContent,
): Promise<Record<string, string>> {
  const views = model.trained.views(trained);
  const written = new Map(model.saved.map(({ name }) => [savedName(name), name]));
  const own = model.trained.entries.map(({ name, shape }) => ({
    name: PREFIX + (written.get(name) ?? name),
    shape,
    data: views[name]!,
  }));
  const tensors = [...own, ...model.adapted.flatMap((layer) => (layer.tied ? headOf(layer, views) : []))];
  const both = own.find(({ name }) => name === `${PREFIX}${tiedEnd(model)}.weight`);
  // PEFT looks for what is one matrix by both names.
  if (both) tensors.push({ ...both, name: `${PREFIX}${HEAD}.weight` });
  const config = jsonText(adapterConfig(model, settings, dropout, base));
  const weights = await writeFileSynced(join(folder, ADAPTER_WEIGHTS), encodeSafetensors(tensors, { format: 'pt' }));
  const text = await writeFileSynced(join(folder, ADAPTER_CONFIG), config);
  return { [ADAPTER_CONFIG]: text.sha256, [ADAPTER_WEIGHTS]: weights.sha256 };
}

/** What is written of an adapter. */
export interface AdapterContent {
  /** With its adapter. */
  readonly model: Model;
  readonly trained: Float32Array;
  readonly settings: LoraSettings;
  /** The share of the adapter's input that training drops. */
  readonly dropout: number;
  readonly base: string;
}

function adapterConfig(model: Model, settings: LoraSettings, dropout: number, base: string): JsonObject {
  return {
    base_model_name_or_path: base,
    bias: 'none',
    ensure_weight_tying: isTiedTrained(model),
    fan_in_fan_out: model.adapted.some(({ rows, role }) => rows === 'inputs' && role !== 'embedding'),
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: settings.alpha,
    lora_dropout: dropout,
    modules_to_save: model.saved.length > 0 ? withHead(model, modulesOf(model.saved)) : null,
    peft_type: 'LORA',
    r: settings.rank,
    target_modules: withHead(model, targetModules(model)),
    trainable_token_indices: tokenIndices(model),
    task_type: { past: 'CAUSAL_LM', 'past and source': 'SEQ_2_SEQ_LM', all: null }[model.architecture.sees],
    use_dora: false,
    use_rslora: settings.rankStabilized === true,
  };
}

/** The name of the matrix that is both embedding and head; undefined where they are two. */
const tiedEnd = (model: Model): string | undefined => model.adaptableLayers().find(({ tied }) => tied)?.name;

/** Whether an adapter, or a copy, is of such a matrix: PEFT has it for both then. */
function isTiedTrained(model: Model): boolean {
  const end = tiedEnd(model);
  return end !== undefined && (model.adapted.some(({ name }) => name === end) || modulesOf(model.saved).includes(end));
}

/** With the head where the embedding that it is one matrix with is named: PEFT knows such by the head's name everywhere. */
function withHead(model: Model, names: readonly string[]): string[] {
  const tied = tiedEnd(model);
  const named = names.some((name) => tied !== undefined && (tied === name || tied.endsWith(`.${name}`)));
  return named ? [...names, HEAD].sort() : [...names];
}

/** What PEFT writes for the head beside an embedding's adapter that it shares: the same matrices, the other way. */
function headOf(layer: AdaptedLayer, views: Readonly<Record<string, Float32Array>>): NamedTensor[] {
  const { a, b } = adapterNames(layer);
  const { a: headA, b: headB } = adapterNames({ name: HEAD });
  const { rank, inputs, outputs } = layer;
  return [
    { name: PREFIX + headA, shape: [rank, outputs], data: transposed(views[b]!, outputs, rank) },
    { name: PREFIX + headB, shape: [inputs, rank], data: transposed(views[a]!, rank, inputs) },
  ];
}

/** The ids of trained rows by the last part of their matrix's name, which stands for it alone; none where none are trained. */
function tokenIndices({ tokenRows }: Model): JsonObject | null {
  if (tokenRows.length === 0) return null;
  const ids = ({ first, count }: TokenRange) => Array.from({ length: count }, (_, i) => first + i);
  return Object.fromEntries(tokenRows.map((rows) => [rows.name.slice(rows.name.lastIndexOf('.') + 1), ids(rows)]));
}

/** The last part of the layers' names where that names them and no others, as people write it, else their whole names. */
function targetModules(model: Model): string[] {
  const last = (name: string) => name.slice(name.lastIndexOf('.') + 1);
  const adapted = new Set(model.adapted.map(({ name }) => name));
  const parts = new Set([...adapted].map(last));
  const others = model.adaptableLayers().some(({ name }) => parts.has(last(name)) && !adapted.has(name));
  return [...(others ? adapted : parts)].sort();
}

async function readSettings(folder: string): Promise<z.output<typeof schema>> {
  const path = join(folder, ADAPTER_CONFIG);
  const value = await readJsonFile(path, ADAPTER_ADVICE);
  if (!isJsonObject(value)) throw new MeanfieldError(`${path} is damaged: expected a JSON object.`);
  return checkSettings(value, path);
}

/** @throws MeanfieldError when the settings of an adapter are damaged, or of a kind that is not computed here */
export function checkSettings(value: JsonObject, path: string): z.output<typeof schema> {
  if (value.peft_type !== 'LORA') {
    const kind = (JSON.stringify(value.peft_type) ?? 'nothing').slice(0, 80);
    throw new MeanfieldError(`${path} is of another kind of adapter, peft_type ${kind}. Allowed: LORA.`);
  }
  for (const [key, allowed] of Object.entries(settingRules as unknown as Record<string, readonly JsonValue[]>)) {
    const given = value[key];
    if (given === undefined || given === null || allowed.some((each) => JSON.stringify(each) === JSON.stringify(given)))
      continue;
    throw new MeanfieldError(
      `${path}: ${key} is ${JSON.stringify(given).slice(0, 80)}, which is not computed here. Merge the adapter in ` +
        'Python: AutoPeftModelForCausalLM.from_pretrained(folder).merge_and_unload().save_pretrained(other).',
    );
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new MeanfieldError(`${path} is damaged: ${issue!.path.join('.')}: ${issue!.message}. ${ADAPTER_ADVICE}`);
}

/** A layer's own alpha; PEFT takes its keys for the ends of layers' names. */
function alphaOf({ lora_alpha, alpha_pattern }: z.output<typeof schema>, name: string): number {
  for (const [key, alpha] of Object.entries(alpha_pattern ?? {})) {
    if (!/^[\w.]+$/.test(key))
      throw new MeanfieldError(
        `${ADAPTER_CONFIG}: alpha_pattern has ${key.slice(0, 80)}, a regular expression. Names of layers alone are ` +
          'read here: merge the adapter in Python.',
      );
    if (name === key || name.endsWith(`.${key}`)) return alpha;
  }
  return lora_alpha;
}

/** Without the head's, where one adapter stands beside both. */
function withoutHead(found: FoundTensors['found']): FoundTensors['found'] {
  return new Map([...found].filter(([name]) => name !== HEAD));
}

/** A parameter by its name, or by its end. */
function entryOf(entries: readonly ParameterEntry[], name: string): ParameterEntry | undefined {
  const exact = entries.find((entry) => entry.name === name);
  if (exact) return exact;
  const ending = entries.filter((entry) => entry.name.endsWith(`.${name}`));
  return ending.length === 1 ? ending[0] : undefined;
}

/** A layer by its name, or by its end: adapters of a model without its head lack the first part. */
function layerOf(layers: ReadonlyMap<string, AdaptableLayer>, name: string): AdaptableLayer | undefined {
  const exact = layers.get(name);
  if (exact) return exact;
  const ending = [...layers.values()].filter((layer) => layer.name.endsWith(`.${name}`));
  return ending.length === 1 ? ending[0] : undefined;
}

function misfit(file: SafetensorsFile, name: string, a: string, b: string, layer: AdaptableLayer | undefined): string {
  const shape = (tensor: string) => `[${file.info(tensor).shape.join(', ')}]`;
  if (!layer) return `the model has no linear layer ${name}`;
  if (a.includes('.lora_embedding_') !== (layer.role === 'embedding'))
    return `${name} has ${a}, which is of another kind of layer`;
  return `${name} has matrices ${shape(a)} and ${shape(b)} for a layer from ${layer.inputs} to ${layer.outputs}`;
}

/** The vector of an adapter's parameters, as a model with that adapter lays it out. */
export function adapterVector(model: Model, { layers, tokenRows, replaced }: LoadedAdapter): Float32Array {
  const matrices = layers.flatMap((layer) => [
    [adapterNames(layer).a, layer.a] as const,
    [adapterNames(layer).b, layer.b] as const,
  ]);
  const rows = tokenRows.map(
    ({ parameter, values }) => [tokenRowsName(parameter.replace(/\.weight$/, '')), values] as const,
  );
  const whole = model.saved.map(({ name }) => [savedName(name), replaced[name]!] as const);
  return model.trained.fill(Object.fromEntries([...matrices, ...rows, ...whole]));
}
