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
] as const;

/**
 * The architectures that can be trained, as `model_type` names them.
 *
 * @category Training
 */
export type FamilyName = (typeof FAMILIES)[number];

/** Those that read all of a text at once, and learn by masked tokens. */
export const ENCODERS: readonly FamilyName[] = ['bert', 'distilbert', 'modernbert'];

/** The kinds of adapters. */
export const ADAPTERS = ['lora'] as const;
