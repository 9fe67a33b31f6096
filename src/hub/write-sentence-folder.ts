import { join } from 'node:path';
import { writeFileSynced } from '../base/files/atomic.js';
import { makeFolder } from '../base/files/make-folder.js';
import { type JsonObject, jsonText } from '../base/json.js';
import { encodeSafetensors } from '../base/safetensors-writer.js';
import type { Pooling } from '../model/family-names.js';
import {
  type DenseLayer,
  MODULES,
  SENTENCE_SETTINGS,
  type SentenceModules,
  TRANSFORMER_SETTINGS,
} from './sentence-folder.js';
import names from './sentence-modules.json' with { type: 'json' };

/** What the modules are made for. */
export interface SentenceSizes {
  /** Of a hidden state. */
  readonly width: number;
  /** Tokens that the model takes at most. */
  readonly context: number;
}

/**
 * Writes how vectors come of texts beside a model in a folder that is being made, as sentence-transformers reads it from
 * version 2 on.
 *
 * @returns the sha256 of each file that lies in the folder itself
 */
export async function writeSentenceModules(
  folder: string,
  { poolings, after, maxTokens, lowerCase, prompt, settings }: SentenceModules,
  { width, context }: SentenceSizes,
): Promise<Record<string, string>> {
  const parts = [
    ['Transformer', {}],
    ['Pooling', poolingConfig(poolings, width)],
    ...after.map((step) => (step === 'normalize' ? ['Normalize', undefined] : ['Dense', denseConfig(step)])),
  ] as [kind: string, config: JsonObject | undefined][];
  const modules = parts.map(([kind], i) => ({
    idx: i,
    name: String(i),
    // The first part is the model, which other programs look for in the folder itself.
    path: i === 0 ? '' : `${i}_${kind}`,
    type: `sentence_transformers.models.${kind}`,
  }));
  for (const [i, [kind, config]] of parts.entries()) {
    if (i === 0) continue;
    const place = join(folder, `${i}_${kind}`);
    await makeFolder(place);
    if (config !== undefined) await writeFileSynced(join(place, 'config.json'), jsonText(config));
    const step = after[i - 2];
    if (typeof step === 'object') await writeDense(place, step);
  }
  const texts: Record<string, string> = {
    [MODULES]: jsonText(modules),
    [TRANSFORMER_SETTINGS]: jsonText({ max_seq_length: maxTokens ?? context, do_lower_case: lowerCase }),
    [SENTENCE_SETTINGS]: jsonText(settings ?? promptSettings(prompt)),
  };
  const hashes: Record<string, string> = {};
  for (const [name, text] of Object.entries(texts))
    hashes[name] = (await writeFileSynced(join(folder, name), text)).sha256;
  return hashes;
}

/**
 * By the keys that every version reads, which joins vectors in the order of its keys; where another is meant, as version 6
 * has it.
 */
function poolingConfig(poolings: SentenceModules['poolings'], width: number): JsonObject {
  const keys = Object.entries(names.poolingKeys) as [key: string, pooling: Pooling][];
  const inOrder = keys.map(([, pooling]) => pooling).filter((pooling) => poolings.includes(pooling));
  if (inOrder.join() !== poolings.join())
    return { embedding_dimension: width, pooling_mode: poolings, include_prompt: true };
  const modes = keys.map(([key, pooling]) => [key, poolings.includes(pooling)]);
  return { word_embedding_dimension: width, ...Object.fromEntries(modes), include_prompt: true };
}

function promptSettings(prompt: string): JsonObject {
  const all = prompt === '' ? {} : { default: prompt };
  return { prompts: all, default_prompt_name: prompt === '' ? null : 'default', similarity_fn_name: 'cosine' };
}

function denseConfig({ inputs, outputs, bias, activation }: DenseLayer): JsonObject {
  const [name] = Object.entries(names.activations).find(([, short]) => short === activation)!;
  const place = name === 'Identity' ? 'linear' : 'activation';
  return {
    in_features: inputs,
    out_features: outputs,
    bias: bias !== undefined,
    activation_function: `torch.nn.modules.${place}.${name}`,
  };
}

async function writeDense(folder: string, { weight, bias, inputs, outputs }: DenseLayer): Promise<void> {
  const tensors = [
    { name: 'linear.weight', shape: [outputs, inputs], data: weight },
    ...(bias ? [{ name: 'linear.bias', shape: [outputs], data: bias }] : []),
  ];
  await writeFileSynced(join(folder, 'model.safetensors'), encodeSafetensors(tensors, { format: 'pt' }));
}
