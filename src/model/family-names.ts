/** The architectures that can be trained, as `model_type` names them. */
export const FAMILIES = [
  'gpt2',
  'llama',
  'bert',
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

/** The kinds of adapters. */
export const ADAPTERS = ['lora'] as const;
