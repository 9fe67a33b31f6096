import { join } from 'node:path';
import { MeanfieldError } from '../base/errors.js';
import { writeFileSynced } from '../base/files/atomic.js';
import { BFLOAT16_LIMIT, FLOAT16_LIMIT } from '../base/half-precision.js';
import { isJsonObject, type JsonObject, jsonText } from '../base/json.js';
import type { NamedTensor, RoundedDtype } from '../base/safetensors-writer.js';
import { spelledError } from '../base/spelling.js';
import { findTemplate, withTemplate } from '../data/chat/template.js';
import { configText } from '../hub/model-folder.js';
import { weightBytes, writeWeights } from '../hub/write-weights.js';
import { someNames } from '../model/config-rules.js';
import type { ExportOrder, ExportWriter, ReadModel } from './format.js';
import type { ExportDtype } from './formats.js';

interface Numbers {
  /** What Python calls it in `config.json`. */
  readonly torch: string;
  readonly rounded?: RoundedDtype;
  /** From which |x| a number becomes infinite. */
  readonly limit: number;
}

/** Numbers that safetensors files of Hugging Face hold. */
const NUMBERS: Readonly<Partial<Record<ExportDtype, Numbers>>> = {
  fp32: { torch: 'float32', limit: Number.POSITIVE_INFINITY },
  bf16: { torch: 'bfloat16', rounded: 'BF16', limit: BFLOAT16_LIMIT },
  fp16: { torch: 'float16', rounded: 'F16', limit: FLOAT16_LIMIT },
};

export const numbersOf = (dtype: ExportDtype): Numbers => NUMBERS[dtype]!;

/** A model in Hugging Face's layout. */
export const writeHuggingFace: ExportWriter = (source, order) =>
  source.open((opened) => writeTransformer(opened, order));

/**
 * Writes a model as Python `transformers` saves it into a folder that is being made.
 *
 * @returns the sha256 of each file by name
 * @throws MeanfieldError naming tensors that hold what the order's numbers cannot
 */
export async function writeTransformer(
  opened: Omit<ReadModel, 'tokenizer'>,
  order: ExportOrder,
): Promise<Record<string, string>> {
  const { place, dtype, options } = order;
  const { torch, rounded } = numbersOf(dtype);
  const { model, read, generationConfig, tokenizerFiles } = opened;
  const fit = new Fit(dtype);
  const tensors = model.layout.entries.map(({ name, shape }) => ({
    ...{ name, shape },
    read: async () => fit.see(name, await read(name)),
  }));
  const bytes = weightBytes(tensors, rounded);
  const shardBytes = options.shardSize * 1e9;
  const hashes = await writeWeights(place, tensors, { rounded, shardBytes, told: (part) => order.told(part, bytes) });
  fit.require();
  const { dtype: _dtype, ...config } = model.config as JsonObject;
  const texts: Record<string, string> = {
    'config.json': configText({ ...config, torch_dtype: torch }),
    ...(generationConfig && { 'generation_config.json': jsonText(generationConfig) }),
    ...withTemplateTwice(tokenizerFiles),
  };
  for (const [name, text] of Object.entries(texts))
    hashes[name] = (await writeFileSynced(join(place, name), text)).sha256;
  return hashes;
}

interface FitOptions extends Pick<Numbers, 'limit'> {
  /** Numbers that hold more. */
  readonly instead?: ExportDtype;
}

/** Whether every number of every tensor stays finite. */
export class Fit {
  #largest = 0;
  readonly #wrong: string[] = [];
  readonly #limits: FitOptions;

  constructor(
    private readonly dtype: ExportDtype,
    limits: FitOptions = numbersOf(dtype),
  ) {
    this.#limits = limits;
  }

  /** Looks at a tensor's values. @returns them */
  see(name: string, values: Float32Array): Float32Array {
    const magnitude = largestOf(values);
    // NaN is below nothing.
    if (magnitude < this.#limits.limit) return values;
    this.#largest = Math.max(this.#largest, magnitude);
    this.#wrong.push(name);
    return values;
  }

  /** @throws MeanfieldError naming the tensors where one does not */
  require(): void {
    if (this.#wrong.length === 0) return;
    const { limit, instead = this.dtype === 'fp16' ? 'bf16' : 'fp32' } = this.#limits;
    const [names, largest, dtype] = [someNames(this.#wrong), this.#largest, this.dtype];
    if (!Number.isFinite(largest))
      throw new MeanfieldError(
        `The weights are not usable: ${names} hold numbers that are not finite. Take another copy.`,
      );
    throw spelledError(
      MeanfieldError,
      ({ option }) =>
        `${dtype} cannot hold these weights: ${names} reach ${largest.toPrecision(4)}, and it ends at ` +
        `${limit === FLOAT16_LIMIT ? '65504' : limit.toPrecision(4)}. Choose another ${option('dtype')}, such as ${instead}.`,
    );
  }
}

/** Refuses tensors that a type cannot hold, as {@link Fit} tells. @throws MeanfieldError naming them */
export function requireFits(tensors: readonly NamedTensor[], dtype: ExportDtype, limits?: FitOptions): void {
  const fit = new Fit(dtype, limits);
  for (const { name, data } of tensors) fit.see(name, data);
  fit.require();
}

/** The largest |x|; NaN where one is. */
function largestOf(data: Float32Array): number {
  let largest = 0;
  // By index: an iterator takes ten times as long.
  for (let i = 0; i < data.length; i++) {
    const magnitude = Math.abs(data[i]!);
    // Written so that NaN is taken.
    if (!(magnitude <= largest)) largest = magnitude;
    if (Number.isNaN(largest)) return largest;
  }
  return largest;
}

/**
 * A tokenizer's files with the chat template, where there is one, in both places: newer programs read
 * `chat_template.jinja`, older ones `tokenizer_config.json`. Several templates by name stay as they are.
 */
export function withTemplateTwice(files: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  if (!findTemplate(files).own) return files;
  const config: unknown = JSON.parse(files['tokenizer_config.json'] ?? '{}');
  return isJsonObject(config) && Array.isArray(config.chat_template) ? files : withTemplate(files)!;
}
