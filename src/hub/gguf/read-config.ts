import type { JsonObject, JsonValue } from '../../base/json.js';
import { type GgufArchitecture, harmlessKeys } from './architectures.js';
import type { GgufFile } from './gguf-file.js';
import { llama3ScalingOf } from './llama3-factors.js';
import type { Metadata } from './metadata.js';

/** A `config.json` that a GGUF file comes to, and what of the file stands in it. */
export interface ReadConfig {
  readonly config: JsonObject;
  readonly heads: { readonly query: number; readonly key: number };
  /** Names of tensors that hold settings and no parameters. */
  readonly derived: ReadonlySet<string>;
}

/** Tensors of settings. */
const FREQUENCIES = 'rope_freqs.weight';
const [SHORT, LONG] = ['rope_factors_short.weight', 'rope_factors_long.weight'];

/** Every fourth layer knows no positions; llama.cpp has no key for it. */
export const NO_ROPE_INTERVAL = 4;
/** Layers of the largest Gemma, whose scores llama.cpp scales by the width over the heads. */
export const LARGEST_GEMMA: Readonly<Record<string, number>> = { gemma2: 46, gemma3: 62 };
/** Of how many layers the last sees all of the past, where a file does not tell. */
const PATTERNS: Readonly<Record<string, number>> = { gemma2: 2, gemma3: 6 };

/**
 * The `config.json` of the model in a GGUF file, in Hugging Face's keys.
 *
 * @throws MeanfieldError when a key is missing, of another type, or asks for what is not computed here
 */
export async function readConfig(file: GgufFile, metadata: Metadata, of: GgufArchitecture): Promise<ReadConfig> {
  const own = (key: string) => `${of.name}.${key}`;
  const config: Record<string, JsonValue> = { model_type: of.family, torch_dtype: 'float32' };
  for (const { key, type, config: name } of of.keys) config[name] = shortest(metadata.need(own(key), type));
  const embedding = file.tensors.get('token_embd.weight');
  if (embedding === undefined) throw metadata.fault('it has no tensor token_embd.weight');
  config.vocab_size = embedding.shape[0]!;
  const query = metadata.need(own('attention.head_count'), 'UINT32');
  const key = metadata.get(own('attention.head_count_kv'), 'UINT32') ?? query;
  if (query === 0 || key === 0) throw metadata.fault('it has no attention heads');
  const derived = of.keys.some(({ config: name }) => name === 'rms_norm_eps') ? await decoderKeys() : new Set<string>();
  for (const [id, name] of [
    ['bos_token_id', 'bos'],
    ['eos_token_id', 'eos'],
  ] as const)
    config[id] = metadata.get(`tokenizer.ggml.${name}_token_id`, 'UINT32') ?? null;
  const unknown = metadata.unread(`${of.name}.`).filter((each) => !harmlessKeys.has(each.slice(of.name.length + 1)));
  if (unknown.length > 0)
    throw metadata.fault(
      `it has ${unknown.slice(0, 5).join(', ')}, which Meanfield does not follow: with it ignored, every result could be wrong`,
    );
  return { config, heads: { query, key }, derived };

  /** What decoders of Llama's kind have beside sizes. */
  async function decoderKeys(): Promise<Set<string>> {
    config.num_key_value_heads = key;
    config.tie_word_embeddings = !file.tensors.has('output.weight');
    const has = (name: string) => file.tensors.has(`blk.0.${name}.bias`);
    if (of.family === 'llama' || of.family === 'smollm3' || of.family === 'qwen3')
      config.attention_bias = has('attn_q');
    if (of.family === 'llama' || of.family === 'smollm3') config.mlp_bias = has('ffn_down');
    const width = metadata.get(own('attention.key_length'), 'UINT32') ?? Number(config.hidden_size) / query;
    const values = metadata.get(own('attention.value_length'), 'UINT32') ?? width;
    if (width !== values) throw metadata.fault(`its keys have a width of ${width} and its values of ${values}`);
    config.head_dim = width;
    const theta = shortest(metadata.get(own('rope.freq_base'), 'FLOAT32') ?? 10_000);
    config.rope_theta = theta;
    const rotated = metadata.get(own('rope.dimension_count'), 'UINT32') ?? width;
    if (of.family === 'phi3') {
      config.partial_rotary_factor = rotated / width;
      config.original_max_position_embeddings = config.max_position_embeddings!;
    } else if (rotated !== width) throw metadata.fault(`it turns ${rotated} of the ${width} elements of a head`);
    if (of.family === 'smollm3') config.no_rope_layer_interval = NO_ROPE_INTERVAL;
    windows(width);
    return scaling(theta, width, rotated);
  }

  function windows(width: number): void {
    const gemma = PATTERNS[of.name];
    const window = metadata.get(own('attention.sliding_window'), 'UINT32');
    if (gemma !== undefined) {
      const pattern = metadata.get(own('attention.sliding_window_pattern'), 'UINT32') ?? gemma;
      const layers = Number(config.num_hidden_layers);
      if (layers > file.tensors.size)
        throw metadata.fault(`it claims ${layers} layers, and has ${file.tensors.size} tensors`);
      config.layer_types = Array.from({ length: layers }, (_, i) =>
        window !== 0 && (i + 1) % pattern !== 0 ? 'sliding_attention' : 'full_attention',
      );
      // Without the key, llama.cpp gives the second Gemma its own and the third none.
      config.sliding_window = window || (of.name === 'gemma2' ? 4096 : Number(config.max_position_embeddings));
      config.query_pre_attn_scalar =
        layers === LARGEST_GEMMA[of.name] ? Math.trunc(Number(config.hidden_size) / query) : width;
      const cap = metadata.get(own('final_logit_softcapping'), 'FLOAT32');
      config.final_logit_softcapping = cap ? shortest(cap) : of.name === 'gemma2' ? 30 : null;
    } else if (window !== undefined && of.family === 'llama') {
      // A Llama with a window is a Mistral.
      if (config.attention_bias || config.mlp_bias)
        throw metadata.fault('it has a window and biases, a model of no family');
      config.model_type = 'mistral';
      config.sliding_window = window || null;
      delete config.attention_bias;
      delete config.mlp_bias;
    } else if (of.family === 'phi3') config.sliding_window = window || null;
    else if (window) throw metadata.fault(`it has a window of ${window} without the layers that it is for`);
    if (of.name === 'gemma2')
      config.attn_logit_softcapping = shortest(metadata.get(own('attn_logit_softcapping'), 'FLOAT32') ?? 50);
    if (of.name === 'gemma3')
      config.rope_local_base_freq = shortest(metadata.get(own('rope.freq_base_swa'), 'FLOAT32') ?? 10_000);
  }

  async function scaling(theta: number, width: number, rotated: number): Promise<Set<string>> {
    const type = metadata.get(own('rope.scaling.type'), 'STRING') ?? 'linear';
    const factor = shortest(
      metadata.get(own('rope.scaling.factor'), 'FLOAT32') ?? metadata.get(own('rope.scale_linear'), 'FLOAT32') ?? 1,
    );
    const original = metadata.get(own('rope.scaling.original_context_length'), 'UINT32');
    const tensors = [FREQUENCIES, SHORT!, LONG!].filter((name) => file.tensors.has(name));
    if (of.family === 'phi3' && tensors.includes(SHORT!) && tensors.includes(LONG!)) {
      const amplitude = metadata.get(own('rope.scaling.attn_factor'), 'FLOAT32');
      const factors = async (name: string) => {
        if (file.tensors.get(name)!.length !== rotated / 2)
          throw metadata.fault(`${name} has another size than ${rotated / 2}`);
        return Array.from(await file.readFloat32(name), shortest);
      };
      config.rope_scaling = {
        type: 'longrope',
        short_factor: await factors(SHORT!),
        long_factor: await factors(LONG!),
        ...(amplitude !== undefined && { attention_factor: shortest(amplitude) }),
      };
      config.original_max_position_embeddings = original ?? Number(config.max_position_embeddings);
    } else if (tensors.length === 1 && tensors[0] === FREQUENCIES && factor === 1) {
      const { length } = file.tensors.get(FREQUENCIES)!;
      const found = length === width / 2 && llama3ScalingOf(await file.readFloat32(FREQUENCIES), theta, width);
      if (!found) throw metadata.fault(`its ${FREQUENCIES} is not that of a scaling that Meanfield computes (llama3)`);
      config.rope_scaling = { rope_type: 'llama3', ...found };
    } else if (tensors.length > 0) {
      throw metadata.fault(`it has ${tensors.join(' and ')}, which Meanfield does not follow in a ${of.name}`);
    } else if (type === 'yarn' || (type === 'linear' && factor !== 1)) {
      config.rope_scaling = {
        rope_type: type,
        factor,
        ...(type === 'yarn' && original !== undefined && { original_max_position_embeddings: original }),
      };
    } else if (type !== 'none' && type !== 'linear')
      throw metadata.fault(`its rope.scaling.type is ${JSON.stringify(type)}`);
    return new Set(tensors);
  }
}

/** The number of fewest digits that is the same float32: a file says 1e-5, and means it. */
export function shortest(value: number): number {
  for (let digits = 1; digits < 17; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return value;
}
