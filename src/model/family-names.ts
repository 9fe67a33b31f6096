/** The architectures that can be trained, as `model_type` names them. */
export const FAMILIES = [
  'gpt2',
  'llama',
  'bert',
  'distilbert',
  'modernbert',
  'mistral',
  'qwen2',
  'qwen3',
  'smollm3',
  'phi3',
  'gemma',
  'gemma2',
  'gemma3_text',
  't5',
] as const;

/**
 * The architectures that can be trained, as `model_type` names them.
 *
 * @category Training
 */
export type FamilyName = (typeof FAMILIES)[number];

/** Those that read all of a text at once, and learn by masked tokens. */
export const ENCODERS: readonly FamilyName[] = ['bert', 'distilbert', 'modernbert'];

/** Those that read a source and write what belongs to it. */
export const ENCODER_DECODERS: readonly FamilyName[] = ['t5'];

/** The kinds of adapters. */
export const ADAPTERS = ['lora'] as const;

/** How many bits the matrices beside an adapter are kept in. */
export const BASE_DTYPES = ['fp32', 'bf16', 'int8', 'int4'] as const;

/** One of {@link BASE_DTYPES}. */
export type BaseDtype = (typeof BASE_DTYPES)[number];

/** How one vector a text comes of its tokens' hidden states, by the names of sentence-transformers. */
export const POOLINGS = ['cls', 'mean', 'max', 'mean_sqrt_len_tokens', 'weightedmean', 'lasttoken'] as const;

/** One of {@link POOLINGS}. */
export type Pooling = (typeof POOLINGS)[number];
